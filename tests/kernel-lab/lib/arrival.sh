# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# What the kernel must say when an adopted copy meets its source.

# arrive [VAR=VALUE | FILE]… -- [META_DISK]: boots source and copy as each other's peers, and checks it all.
arrive() {
    local -a with=()
    local last=c
    while [[ "$1" != -- ]]; do
        with+=("$1")
        shift
    done
    shift
    (($# == 0)) || last=d
    empty_disk "$scenario_dir/reader.img" 256
    check_before
    boot arrival arrive ${with[@]+"${with[@]}"} "READER=/dev/vd$last" -- \
        "$scenario_dir/source.img" "$scenario_dir/copy.img" "$@" "$scenario_dir/reader.img"
    check_attached
    check_handshake
    check_synced
    check_contents
}

# Nothing can be seen in a sync of disks that are equal already.
check_before() {
    if same_data source copy; then
        fail_row "before" "source and copy have the same data"
    fi
}

check_attached() {
    local minor='block drbd20: '
    check "apply-al (drbdmeta)" "exit status $(fact apply-al)" "exit status 0"
    check "attach of minor 20" "exit status $(fact attach)" "exit status 0"
    check "attached as" "$(fact attached)" UpToDate/DUnknown
    check "bits of the copy" "$(kernel_line "${minor}.* marked out-of-sync")" \
        "$minor$COPY_KIB KB ($((COPY_KIB / 4)) bits) marked out-of-sync by on disk bit-map."
}

# Rule 70: my bitmap UUID is the peer's current one. Rule 50 is the same, seen from there.
check_handshake() {
    check "handshake" "$(kernel_line 'drbd10: uuid_compare')" 'block drbd10: uuid_compare()=1 by rule 70'
    check "" "$(kernel_line 'drbd20: uuid_compare')" 'block drbd20: uuid_compare()=-1 by rule 50'
}

check_synced() {
    local bits="(will sync $SYNC_KIB KB [$((SYNC_KIB / 4)) bits set])."
    check "sync" "$(kernel_line 'drbd10: Began resync')" "block drbd10: Began resync as SyncSource $bits"
    check "" "$(kernel_line 'drbd20: Began resync')" "block drbd20: Began resync as SyncTarget $bits"
    check_like "" "$(kernel_line 'drbd20: Resync done')" 'Resync done'
    check "drbd10 at the end" "$(fact dstate-10), $(fact sectors-10) sectors" "UpToDate/UpToDate, $inner_sectors sectors"
    check "drbd20 at the end" "$(fact dstate-20), $(fact sectors-20) sectors" "UpToDate/UpToDate, $inner_sectors sectors"
}

# On the disks themselves, and as drbd20 gives it to a reader.
check_contents() {
    local other
    for other in copy reader; do
        if same_data source "$other"; then
            row "contents, $other" "equal to the source's, $((inner_sectors * 512)) bytes"
        else
            fail_row "contents, $other" "not the source's"
        fi
    done
}

# same_data NAME NAME: whether the two disks hold the same over the inner device's size.
same_data() {
    cmp -s -n "$((inner_sectors * 512))" "$scenario_dir/$1.img" "$scenario_dir/$2.img"
}
