# shellcheck shell=sh
# Each changed disk meets a peer that was not. /lab/cases has a line for each: its name, the disk, where its metadata
# is and the index as drbdsetup has it, and the peer's disk.

# `name` is try's own.
# shellcheck source=lib.sh
. /lab/lib.sh

minor=0
while read -r what disk md index peer; do
    other=$((minor + 1))
    kind=$index
    [ "$index" = internal ] || kind=flex-external
    # As drbdadm does before every attach.
    try "apply-al-$what" meta $minor v08 "$md" "$kind" apply-al
    new_device "r$minor" $minor
    try "attach-$what" drbd attach $minor "$disk" "$md" "$index"
    start_device "r$other" $other "$peer"
    sync_fast $minor
    sync_fast $other
    connect_pair "r$minor" $((7000 + minor)) "r$other" $((7000 + other))
    wait_for 120 both_up_to_date $minor $other || echo 'not up to date in time'
    fact "dstate-$what" "$(disk_states $minor)"
    fact "bytes-$what" "$(bytes_of $minor)"
    drbd down "r$minor"
    drbd down "r$other"
    minor=$((minor + 2))
done </lab/cases
