#!/bin/bash
# mdtool and drbdmeta side by side, and each against the limit of its kind: what docs/performance.md holds.
#
# usage: versus-drbdmeta.sh MDTOOL_BINARY [DIR]    DIR: scratch on a file system with 4 GB free and files of 9 TB (ext4, xfs); /tmp unless said
# needs: hyperfine, drbd-utils, GNU time, /dev/shm
set -euo pipefail
shopt -s inherit_errexit
[[ $# -ge 1 && -x $1 ]] || { printf 'usage: %s MDTOOL_BINARY [DIR]\n' "$0" >&2; exit 2; }
for tool in hyperfine drbdmeta /usr/bin/time; do
    command -v "$tool" >/dev/null || { printf 'missing: %s\n' "$tool" >&2; exit 2; }
done
mdtool=$(realpath "$1")
work=$(mktemp -d "${2:-/tmp}/mdtool-versus-XXXXXX")
large=$(mktemp -d /dev/shm/mdtool-versus-XXXXXX)
trap 'rm -rf "$work" "$large"' EXIT
cd "$(dirname "${BASH_SOURCE[0]}")/.."
images() { cargo bench --quiet --locked --bench images -- "$@"; }

printf 'mdtool %s, %s, %s, %s processors, load %s, %s\n\n' "$("$mdtool" --version | head -1)" "$(drbdadm --version 2>/dev/null | sed -n 's/^DRBDADM_VERSION=/drbd-utils /p')" \
    "$(uname -sr)" "$(nproc)" "$(cut -d' ' -f1-3 /proc/loadavg)" "$(date -I)"

images dense "$work/dense.raw"
"$mdtool" export "$work/dense.raw" -o "$work/dump.md"
drbdmeta() { command drbdmeta --force - v08 "$@" 2>/dev/null; }
export -f drbdmeta

# compare TITLE COMMAND… : every command some times in turn, medians; the first is ours.
compare() {
    printf '## %s\n\n' "$1"
    shift
    hyperfine --shell=bash --warmup 1 --runs "${RUNS:-5}" --style none --export-markdown "$work/table" "${prepare[@]}" "$@" >/dev/null
    sed "s|$work/||g; s|$large/||g; s|$mdtool|mdtool|g" "$work/table"
    printf '\n'
    prepare=()
}
# memory COMMAND…: its peak.
memory() {
    printf 'peak memory of `%s`: ' "$(sed "s|$work/||g; s|$large/||g; s|$mdtool|mdtool|g" <<<"$*")"
    # A status of 1 is an answer: nothing was found in noise.
    { /usr/bin/time -f '%M KiB' "$@" 2>&1 >/dev/null || true; } | tail -1
    printf '\n'
}
prepare=()

compare 'export of a dense bitmap, 9 TB' "$mdtool export $work/dense.raw >/dev/null" "drbdmeta $work/dense.raw internal dump-md >/dev/null" "cat $work/dump.md >/dev/null"
compare 'the same into a file, and cp of the finished text' "$mdtool export $work/dense.raw >$work/out.md" "drbdmeta $work/dense.raw internal dump-md >$work/out.md" "cp $work/dump.md $work/out.md"
rm -f "$work/out.md"
memory "$mdtool" export "$work/dense.raw"

# Where a sync costs nothing: what is left is mdtool's and drbdmeta's own.
fresh() { prepare=(--prepare "rm -f $1/undo; truncate -s 0 $1/target.raw; truncate -s $2 $1/target.raw"); }
fresh "$large" 9000000000000
RUNS=3 compare 'import of that text, in memory' "$mdtool import $large/target.raw $work/dump.md --yes --undo $large/undo" "drbdmeta $large/target.raw internal restore-md $work/dump.md" \
    "$mdtool import $large/target.raw $work/dump.md --dry-run"
rm -f "$large/undo" "$large/target.raw"
fresh "$work" 9000000000000
RUNS=3 compare 'the same on a disk, with all its syncs' "$mdtool import $work/target.raw $work/dump.md --yes --undo $work/undo" "drbdmeta $work/target.raw internal restore-md $work/dump.md"
rm -f "$work/undo"
memory "$mdtool" import "$work/target.raw" "$work/dump.md" --yes --undo "$work/undo"
rm -f "$work/undo" "$work/target.raw"

# Linear: a ninth of it, all of it, four times as much.
for size in 1000000000000 9000000000000 36000000000000; do
    images dense "$large/size.raw" "$size"
    "$mdtool" export "$large/size.raw" -o "$large/size.md"
    rm -f "$large/size.raw"
    fresh "$large" "$size"
    RUNS=2 compare "import of a dense bitmap, $size bytes" "$mdtool import $large/target.raw $large/size.md --yes --undo $large/undo"
    rm -f "$large"/*
done

compare 'locate, the plain case, 9 TB' "$mdtool locate $work/dense.raw" "drbdmeta $work/dense.raw internal get-gi"
compare 'probe, 9 TB' "$mdtool probe $work/dense.raw" "$mdtool --version"

head -c 2G /dev/urandom >"$work/full.raw"
cat "$work/full.raw" >/dev/null
compare 'locate --scan full of 2 GiB without holes, cached' "$mdtool locate --scan full $work/full.raw || true" "dd bs=8M if=$work/full.raw of=/dev/null status=none"
memory "$mdtool" locate --scan full "$work/full.raw"
rm -f "$work/full.raw"

images al "$large/al.raw"
cp --sparse=always "$large/al.raw" "$large/fresh.raw"
prepare=(--prepare "rm -f $large/undo*; cp --sparse=always $large/fresh.raw $large/al.raw")
RUNS=3 compare 'apply-al, 65534 active extents all over 30 TiB' "$mdtool apply-al $large/al.raw --yes --undo $large/undo" "drbdmeta $large/al.raw internal apply-al"
cp --sparse=always "$large/fresh.raw" "$large/al.raw"
rm -f "$large"/undo
memory "$mdtool" apply-al "$large/al.raw" --yes --undo "$large/undo"

# sparse LA_SIZE WORDS: the dump of a device where nothing is out of sync.
sparse() {
    sed '/^bm {/,$d' "$work/dump.md" | sed "s/^la-size-sect .*/la-size-sect $1;/"
    printf 'bm {\n   %s times 0x0000000000000000;\n}\n' "$2"
}
sparse 190000000000 371093750 >"$work/sparse.md"
fresh "$large" 100T
compare 'import into 100 TB, sparse' "$mdtool import $large/target.raw $work/sparse.md --yes --undo $large/undo"
# Of 1 PiB, 33 GiB are left for the metadata.
sparse 2198954049536 4294832128 >"$work/sparse.md"
fresh "$large" 1024T
compare 'import into 1 PiB, sparse' "$mdtool import $large/target.raw $work/sparse.md --yes --undo $large/undo"
