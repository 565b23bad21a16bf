# shellcheck shell=sh
# Pairs of replicas, made by operations only; at the end the power goes.
#
# Pair N has minors 2N and 2N + 1, on the disks that /lab/env names in DISKS, in this order.

# shellcheck source=lib.sh
. /lab/lib.sh

next=0

disk_of() {
    echo "$DISKS" | cut -d ' ' -f $(($1 + 1))
}

next_pair() {
    a=$next
    b=$((a + 1))
    next=$((a + 2))
}

connected() {
    [ "$(drbdsetup-84 cstate "$a")" = Connected ] && [ "$(drbdsetup-84 cstate "$b")" = Connected ]
}

# synced: the next pair, connected, both UpToDate, without a resync.
synced() {
    next_pair
    for minor in $a $b; do
        meta $minor v08 "$(disk_of $minor)" internal create-md
        new_device r$minor $minor
        drbd attach $minor "$(disk_of $minor)" "$(disk_of $minor)" internal
    done
    connect_pair r$a $((7000 + a)) r$b $((7000 + b))
    wait_for 60 connected
    drbd new-current-uuid $a --clear-bitmap
    wait_for 60 both_up_to_date $a $b
}

# parted: the next pair, synced, then each alone.
parted() {
    synced
    drbd disconnect ipv4:127.0.0.1:$((7000 + a)) ipv4:127.0.0.1:$((7000 + b))
    drbd disconnect ipv4:127.0.0.1:$((7000 + b)) ipv4:127.0.0.1:$((7000 + a))
}

# writes MINOR MIB KIB: so much there, as Primary.
writes() {
    drbd primary "$1"
    write_random "/dev/drbd$1" "$2" "$3"
    drbd secondary "$1"
}

down() {
    for minor in $a $b; do
        drbd detach $minor
    done
}

# equal
parted
down
# a-wrote
parted
writes "$a" 4 64
down
# b-wrote-a-primary
parted
writes "$b" 4 64
down
# both-wrote
parted
writes "$a" 4 64
writes "$b" 8 64
down
# both-discard-a
parted
writes "$a" 4 64
writes "$b" 8 64
down
# both-least-changes: that is a
parted
writes "$a" 4 64
writes "$b" 8 192
down
# a-crashed: it was Primary when the power went
synced
drbd primary "$a"
write_random "/dev/drbd$a" 4 64
# b-anew: b's metadata is made again
parted
writes "$a" 4 64
down
meta "$b" v08 "$(disk_of "$b")" internal create-md
# a-twice: a began two generations
parted
drbd new-current-uuid "$a"
drbd new-current-uuid "$a"
down
# b-outdated
parted
drbd outdate "$b"
writes "$a" 4 64
down
# b-invalidated
parted
drbd invalidate "$b"
down
# both-forced: they never knew each other
next_pair
for minor in $a $b; do
    create_device r$minor $minor "$(disk_of $minor)"
    write_random /dev/drbd$minor 4 64
    stop_device $minor
done
cat /proc/drbd
sync
