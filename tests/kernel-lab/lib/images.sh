# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# The disks that the machine gets, as files.

# disk NAME: where this scenario has it.
disk() {
    printf '%s/%s.img\n' "$scenario_dir" "$1"
}

# noise_disk NAME MIB: so that a block in a wrong place cannot pass for the right one.
noise_disk() {
    head -c "$(($2 << 20))" /dev/urandom >"$(disk "$1")"
}

# empty_disk NAME MIB
empty_disk() {
    rm -f "$(disk "$1")"
    truncate -s "$2M" "$(disk "$1")"
}

# copy_disk FROM TO
copy_disk() {
    cp --reflink=auto --sparse=always "$(disk "$1")" "$(disk "$2")"
}

# take_truck: this scenario's own copy of what the truck scenario left, as source and copy.
take_truck() {
    local name
    while [[ ! -e "$work/truck/complete" ]]; do
        [[ ! -e "$work/truck.verdict" ]] || die "$scenario needs the truck scenario, which did not succeed"
        sleep 0.2
    done
    for name in source copy; do
        cp --reflink=auto --sparse=always "$work/truck/$name.img" "$(disk "$name")"
    done
    outer_bytes=$(<"$work/truck/outer-bytes")
    inner_bytes=$(<"$work/truck/inner-bytes")
    # By guest/truck.sh: the copy's log holds two extents of 4 MiB; the source has written 1 MiB in one of
    # them since, and 3 MiB elsewhere.
    copy_kib=8192
    sync_kib=11264
}

# same_data NAME NAME BYTES: whether two disks begin with the same bytes, for so long.
same_data() {
    cmp -s -n "$3" "$(disk "$1")" "$(disk "$2")"
}

# check_equal NAME NAME BYTES: the same, as a row.
check_equal() {
    if same_data "$1" "$2" "$3"; then
        row "contents" "$2 = $1, $3 bytes"
    else
        fail_row "contents" "$2 is not $1: $(cmp -n "$3" "$(disk "$1")" "$(disk "$2")" 2>&1)"
    fi
}

# check_untouched: whether the copy is what the truck brought, whole.
check_untouched() {
    if cmp -s "$(disk copy)" "$work/truck/copy.img"; then
        row "copy" "untouched by this"
    else
        fail_row "copy" "changed: $(cmp "$(disk copy)" "$work/truck/copy.img" 2>&1)"
    fi
}
