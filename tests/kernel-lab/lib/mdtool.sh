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

# plan_steps KEY BYTES: the commands that `plan --departure` prints for source.img and a target of that size, first
# truck (steps) or second (second_truck), in a file, each with its name before it. The names are those of a configuration.
plan_steps() {
    cat >"$scenario_dir/drbd.conf" <<'EOF'
resource r0 {
    on here { device minor 0; disk /dev/vda; meta-disk internal; address 127.0.0.1:7000; }
}
resource r10 {
    stacked-on-top-of r0 { device /dev/drbd10 minor 10; address 127.0.0.1:7010; }
    on there { device minor 20; disk /dev/vdb; meta-disk internal; address 127.0.0.1:7020; }
}
EOF
    (cd "$scenario_dir" && "$mdtool" plan source.img --stacked --departure --json --config drbd.conf \
        --target-size "$2" >plan.json) || die "$scenario: plan --departure failed"
    jq -r ".$1[] | .id + \"\\t\" + .command" "$scenario_dir/plan.json" >"$scenario_dir/steps"
    check_like "commands printed" "$(wc -l <"$scenario_dir/steps")" '^[1-9][0-9]*$'
}

# check_steps: each was run, and exited with 0; but for the first comparison where a chunk was broken.
check_steps() {
    local id command status
    while IFS=$'\t' read -r id command; do
        status=0
        [[ "$id" != check ]] || status=1
        check "$id" "exit status $(fact "$id"): $command" "exit status $status: $command"
    done <"$scenario_dir/steps"
}
