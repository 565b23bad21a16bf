# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# mdtool at work on this scenario's disks, on the host.

# run_mdtool ARGUMENT…: in the scenario's directory; it must succeed.
run_mdtool() {
    if ! (cd "$scenario_dir" && timeout 120 "$mdtool" "$@" >mdtool.out 2>&1); then
        sed 's/^/    /' "$scenario_dir/mdtool.out"
        die "$scenario: mdtool $* did not succeed"
    fi
    row "mdtool" "$*"
}

# adopt_copy STRATEGY [--meta FILE]: what a user would type, on the truck's copy.
adopt_copy() {
    take_truck
    run_mdtool adopt copy.img --stacked --strategy "$@" --apply-al --yes --undo undo
    check_like "undo file" "$(stat -c '%s bytes' "$scenario_dir/undo")" '^[1-9]'
}

# check_log: whether drbdmeta found an activity log with the adopted metadata. After its own restore-md it
# finds none, which it takes for an error in v09 where the resource was primary.
check_log() {
    if [[ "$(fact apply-al) $(fact apply-al-said)" =~ ^0 && ! "$(fact apply-al-said)" =~ 'No usable' ]]; then
        row "activity log" "found by drbdmeta"
    else
        fail_row "activity log" "drbdmeta says: $(fact apply-al-said)"
    fi
}
