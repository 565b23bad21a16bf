#!/bin/bash
# Whose are 3000 blocks of an ext4 with a million files: `mdtool files`, beside debugfs' icheck and ncheck on the same image.
#
# usage: million-files.sh MDTOOL_BINARY [DIR]    DIR: scratch with 10 GB free; /tmp unless said. Must be root: it mounts
# needs: e2fsprogs, drbd-utils, GNU time
set -euo pipefail
shopt -s inherit_errexit
[[ $# -ge 1 && -x $1 ]] || { printf 'usage: %s MDTOOL_BINARY [DIR]\n' "$0" >&2; exit 2; }
for tool in debugfs mkfs.ext4 drbdmeta /usr/bin/time; do
    command -v "$tool" >/dev/null || { printf 'missing: %s\n' "$tool" >&2; exit 2; }
done
mdtool=$(realpath "$1")
work=$(mktemp -d "${2:-/tmp}/mdtool-million-XXXXXX")
trap 'umount "$work/at" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

# A thousand directories of a thousand files, each of one to two blocks; every seventh is deleted again, so that what follows is not all in a row.
size=$((11 << 30))
truncate -s $size disk
mkfs.ext4 -q -N 1200000 disk
mkdir at
mount -o loop disk at
head -c $((6000 * 1000)) /dev/urandom >noise
for directory in $(seq -w 0 999); do
    mkdir -p "at/${directory:0:1}/$directory"
    split -a 3 -d -b 6000 noise "at/${directory:0:1}/$directory/file"
done
count=$(df --output=iused at | tail -1)
umount at

# A DRBD device of just this size.
metadata() { drbdmeta --force - v08 disk internal "$@" 2>/dev/null; }
truncate -s $((size + (1 << 20))) disk
metadata create-md >/dev/null
metadata dump-md | sed "s/^la-size-sect .*/la-size-sect $((size / 512));/" >dump
metadata restore-md dump >/dev/null

shuf -i 0-$((size / 4096 - 1)) -n 3000 --random-source=<(yes) | sort -n >blocks
awk '{ printf "%.0f 4096\n", $1 * 4096 }' blocks >ranges
icheck="icheck $(tr '\n' ' ' <blocks)"

timed() { /usr/bin/time -f '%e s, %M KiB' -o time "$@"; }
printf '%s inodes in use, %s, %s, load %s\n\n' "$count" "$("$mdtool" --version | head -1)" "$(uname -sr)" "$(cut -d' ' -f1-3 /proc/loadavg)"
for turn in 1 2 3; do
    timed "$mdtool" files disk --from ranges >ours
    printf 'turn %s: mdtool files                  %s\n' $turn "$(cat time)"
    timed debugfs -R "$icheck" disk >theirs 2>/dev/null
    first=$(cat time)
    ncheck="ncheck $(awk '$2 ~ /^[0-9]+$/ { print $2 }' theirs | sort -un | tr '\n' ' ')"
    timed debugfs -R "$ncheck" disk >names 2>/dev/null
    printf '        debugfs icheck, then ncheck   %s, %s\n' "$first" "$(cat time)"
done
# Both named the same files.
awk -F'\t' '$1 ~ /^[0-9]+$/ { print $2 }' names | sort -u >of-debugfs
printf '\n%s files named by debugfs, %s of them by mdtool\n' "$(wc -l <of-debugfs)" "$(while read -r name; do grep -qF "$name" ours && echo; done <of-debugfs | wc -l)"
