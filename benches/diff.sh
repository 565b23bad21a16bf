#!/bin/bash
# Two equal replicas compared: `mdtool diff`, beside `cmp` of the same files in memory, and beside `cat` of both from a disk that has nothing of them cached.
#
# usage: diff.sh MDTOOL_BINARY [DIR]    DIR: scratch with 5 GB free on a real disk; /tmp unless said. Must be root: it empties the page cache
# needs: drbd-utils, GNU time, /dev/shm with 5 GB
set -euo pipefail
shopt -s inherit_errexit
[[ $# -ge 1 && -x $1 ]] || { printf 'usage: %s MDTOOL_BINARY [DIR]\n' "$0" >&2; exit 2; }
for tool in drbdmeta /usr/bin/time; do
    command -v "$tool" >/dev/null || { printf 'missing: %s\n' "$tool" >&2; exit 2; }
done
mdtool=$(realpath "$1")
disk=$(mktemp -d "${2:-/tmp}/mdtool-diff-XXXXXX")
memory=$(mktemp -d /dev/shm/mdtool-diff-XXXXXX)
trap 'rm -rf "$disk" "$memory"' EXIT

size=$((2 << 30))
metadata() { drbdmeta --force - v08 "$memory/a" internal "$@" 2>/dev/null; }
head -c $size /dev/urandom >"$memory/a"
truncate -s $((size + (1 << 20))) "$memory/a"
metadata create-md >/dev/null
metadata dump-md | sed "s/^la-size-sect .*/la-size-sect $((size / 512));/" >"$memory/dump"
metadata restore-md "$memory/dump" >/dev/null
for name in "$memory/b" "$disk/a" "$disk/b"; do cp "$memory/a" "$name"; done
sync

timed() { /usr/bin/time -f '%e s' -o "$memory/time" "$@" >/dev/null && cat "$memory/time"; }
printf '%s, %s, load %s\n\n' "$("$mdtool" --version | head -1)" "$(uname -sr)" "$(cut -d' ' -f1-3 /proc/loadavg)"
for turn in 1 2 3; do
    printf 'turn %s: in memory: mdtool diff %s, cmp %s' $turn "$(timed "$mdtool" diff "$memory/a" "$memory/b")" "$(timed cmp "$memory/a" "$memory/b")"
    echo 1 >/proc/sys/vm/drop_caches
    printf '; not cached: mdtool diff %s' "$(timed "$mdtool" diff "$disk/a" "$disk/b")"
    echo 1 >/proc/sys/vm/drop_caches
    printf ', cat %s\n' "$(timed cat "$disk/a" "$disk/b")"
done
