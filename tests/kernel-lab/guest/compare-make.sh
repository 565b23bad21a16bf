# shellcheck shell=sh
# Ten pairs of replicas, made by operations only; at the end the power goes.
#
# Pair N has minors 2N and 2N + 1, on the disks that /lab/env names in DISKS, in this order.

# shellcheck source=lib.sh
. /lab/lib.sh

disk_of() {
    echo "$DISKS" | cut -d ' ' -f $(($1 + 1))
}

connected() {
    [ "$(drbdsetup-84 cstate "$1")" = Connected ] && [ "$(drbdsetup-84 cstate "$2")" = Connected ]
}

# synced_pair PAIR: connected, both UpToDate, without a resync.
synced_pair() {
    a=$((2 * $1))
    b=$((a + 1))
    for minor in $a $b; do
        meta $minor v08 "$(disk_of $minor)" internal create-md
        new_device r$minor $minor
        drbd attach $minor "$(disk_of $minor)" "$(disk_of $minor)" internal
    done
    connect_pair r$a $((7000 + a)) r$b $((7000 + b))
    wait_for 60 connected $a $b
    drbd new-current-uuid $a --clear-bitmap
    wait_for 60 both_up_to_date $a $b
}

part() {
    drbd disconnect ipv4:127.0.0.1:$((7000 + a)) ipv4:127.0.0.1:$((7000 + b))
    drbd disconnect ipv4:127.0.0.1:$((7000 + b)) ipv4:127.0.0.1:$((7000 + a))
}

# writes MINOR MIB: 64 KiB there, as Primary.
writes() {
    drbd primary "$1"
    write_random "/dev/drbd$1" "$2" 64
    drbd secondary "$1"
}

down() {
    for minor in $a $b; do
        drbd detach $minor
    done
}

synced_pair 0; part; down                                           # equal
synced_pair 1; part; writes $a 4; down                              # a wrote
synced_pair 2; part; writes $b 4; down                              # b wrote
synced_pair 3; part; writes $a 4; writes $b 8; down                 # both wrote
synced_pair 4; drbd primary $a; write_random /dev/drbd$a 4 64       # a was Primary when the power went
synced_pair 5; part; writes $a 4; down                              # b is made anew
meta $b v08 "$(disk_of $b)" internal create-md
synced_pair 6; part                                                 # a started two generations
drbd new-current-uuid $a
drbd new-current-uuid $a
down
synced_pair 7; part; drbd outdate $b; writes $a 4; down             # b is outdated, a wrote
synced_pair 8; part; drbd invalidate $b; down                       # b was invalidated
a=18                                                                # both were forced
b=19
for minor in $a $b; do
    create_device r$minor $minor "$(disk_of $minor)"
    write_random /dev/drbd$minor 4 64
    stop_device $minor
done
cat /proc/drbd
sync
