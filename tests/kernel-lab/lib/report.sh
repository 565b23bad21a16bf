# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# Rows of a scenario's table, and the verdict that they add up to.

# Ends the scenario, or outside of one the run: it cannot go on.
die() {
    printf 'LAB: %s\n' "$*" >&2
    exit 2
}

# One row: what, and what was seen.
row() {
    local what=$1
    shift
    printf '    %-22s %s\n' "$what" "$*"
}

# Marks the scenario as failed, and lets it go on: the rows that follow say more.
fail_row() {
    local what=$1
    shift
    row "$what" "FAILED: $*"
    touch "$scenario_dir/failed"
}

# check WHAT FOUND EXPECTED: the two must be the same.
check() {
    if [[ "$2" == "$3" ]]; then
        row "$1" "${2:-none}"
    else
        fail_row "$1" "found '${2:-nothing}', expected '$3'"
    fi
}

# check_like WHAT FOUND REGEX: what was found must match, so an empty one never passes.
check_like() {
    if [[ -n "$2" && "$2" =~ $3 ]]; then
        row "$1" "$2"
    else
        fail_row "$1" "found '${2:-nothing}', expected a match of /$3/"
    fi
}
