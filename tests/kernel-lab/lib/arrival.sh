# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# What the kernel must say when an adopted copy meets its source.

# arrive [VAR=VALUE | FILE]… -- [DISK]: boots source and copy as each other's peers, with a disk for the
# copy's metadata where that is on one, and checks it all.
arrive() {
    local -a with=()
    local last=c
    while [[ "$1" != -- ]]; do
        with+=("$1")
        shift
    done
    shift
    (($# == 0)) || last=d
    empty_disk reader 136
    check_before
    boot arrival arrive "${with[@]}" "READER=/dev/vd$last" -- source copy "$@" reader
    check_attached
    check_handshake
    check_synced
    check_contents
}

# Nothing can be seen in a sync of disks that are equal already.
check_before() {
    if same_data source copy "$inner_bytes"; then
        fail_row "before" "source and copy have the same data"
    fi
}

check_attached() {
    check "apply-al (drbdmeta)" "exit status $(fact apply-al)" "exit status 0"
    check "attach of minor 20" "exit status $(fact attach)" "exit status 0"
    check "attached as" "$(fact attached)" UpToDate/DUnknown
    check "bits of the copy" "$(bits_on_disk 20)" "$((copy_kib / 4)) bits"
}

# Rule 70: my bitmap UUID is the peer's current one. Rule 50 is the same, seen from there.
check_handshake() {
    check "handshake" "$(kernel_line 'drbd10: uuid_compare')" 'block drbd10: uuid_compare()=1 by rule 70'
    check "" "$(kernel_line 'drbd20: uuid_compare')" 'block drbd20: uuid_compare()=-1 by rule 50'
}

check_synced() {
    local bits="(will sync $sync_kib KB [$((sync_kib / 4)) bits set])."
    check "sync" "$(kernel_line 'drbd10: Began resync')" "block drbd10: Began resync as SyncSource $bits"
    check "" "$(kernel_line 'drbd20: Began resync')" "block drbd20: Began resync as SyncTarget $bits"
    check_like "" "$(kernel_line 'drbd20: Resync done')" 'Resync done'
    check_end 10
    check_end 20
}

# check_end MINOR
check_end() {
    check "drbd$1 at the end" "$(fact "dstate-$1"), $(fact "bytes-$1") bytes" \
        "UpToDate/UpToDate, $inner_bytes bytes"
}

# On the disks themselves, and as drbd20 gives it to a reader.
check_contents() {
    check_equal source copy "$inner_bytes"
    check_equal source reader "$inner_bytes"
}
