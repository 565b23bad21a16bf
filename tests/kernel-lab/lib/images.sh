# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# The disks that the machine gets, as files.

# noise_disk FILE MIB: so that a block in a wrong place cannot pass for the right one.
noise_disk() {
    head -c "$(($2 << 20))" /dev/urandom >"$1"
}

# empty_disk FILE MIB
empty_disk() {
    rm -f "$1"
    truncate -s "$2M" "$1"
}

# take_truck: this scenario's own copy of what the truck scenario left, as source.img and copy.img.
take_truck() {
    local name
    [[ -e "$work/truck/complete" ]] || die "$scenario needs the truck scenario, which did not succeed"
    for name in source copy; do
        cp --reflink=auto --sparse=always "$work/truck/$name.img" "$scenario_dir/$name.img"
    done
    outer_sectors=$(<"$work/truck/outer-sectors")
    inner_sectors=$(<"$work/truck/inner-sectors")
}
