# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# Superblocks out of testdata/attach: what drbdmeta made, with fields changed.

testdata=$(realpath "$lab/../../testdata/attach")
readonly testdata

# Where v08 has each field: its first byte, and how many. All are big endian.
readonly -A FIELDS=(
    [la_size_sect]='0 8' [current_uuid]='8 8' [bitmap_uuid]='16 8' [history_0]='24 8' [history_1]='32 8'
    [device_uuid]='40 8' [reserved]='48 8' [flags]='56 4' [magic]='60 4' [md_size_sect]='64 4' [al_offset]='68 4'
    [al_nr_extents]='72 4' [bm_offset]='76 4' [bm_bytes_per_bit]='80 4' [la_peer_max_bio_size]='84 4'
    [al_stripes]='88 4' [al_stripe_size_4k]='92 4' [tail]='96 4'
)

# attach_lines base|case: those lines of the table, without the first word.
attach_lines() {
    sed -n "s/^$1 //p" "$testdata/cases.txt"
}

# unpack_blocks FILE IMAGE: the form that testdata/README.md describes.
unpack_blocks() {
    local at bytes
    rm -f "$2"
    while read -r at bytes; do
        case $at in
        '#'*) ;;
        size) truncate -s "$bytes" "$2" ;;
        *) from_hex "$bytes" | dd of="$2" bs=64k oflag=seek_bytes seek="$at" conv=notrunc status=none ;;
        esac
    done <"$1"
}

from_hex() {
    # shellcheck disable=SC2001  # where & stands for the match depends on the version of bash
    printf '%b' "$(sed 's/../\\x&/g' <<<"$1")"
}

# superblock BLOCKS_FILE POSITION FIELD=VALUE…: the 4096 bytes there, changed.
superblock() {
    local hex field at len value
    hex=$(sed -n "s/^$2 //p" "$1")
    [[ -n "$hex" ]] || die "${1##*/} has nothing at $2"
    while ((${#hex} < 8192)); do
        hex+=0000000000000000
    done
    for field in "${@:3}"; do
        [[ -n "${FIELDS[${field%%=*}]:-}" ]] || die "cases.txt has an unknown field in '$field'"
        read -r at len <<<"${FIELDS[${field%%=*}]}"
        printf -v value '%016x' "$((${field#*=}))"
        hex=${hex:0:at * 2}${value: -len * 2}${hex:(at + len) * 2}
    done
    from_hex "${hex:0:8192}"
}
