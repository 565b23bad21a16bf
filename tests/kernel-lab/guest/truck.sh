# shellcheck shell=sh
# Builds a stack on /dev/vda, and lets a truck take a copy of it to /dev/vdb while it is in use.
#
# Written in 64 KiB chunks, at MiB of the inner device, each in an extent (4 MiB) of its own:
#   20  1 MiB before the truck comes: on both disks, and active in the copy's log
#  100  1 MiB while the copy is made: the copy may hold any part of it, and has it in its log
#  132  3 MiB after the truck has left

# shellcheck source=lib.sh
. /lab/lib.sh

write_at_leisure() {
    for chunk in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
        dd if=/dev/urandom of=/dev/drbd10 bs=64k seek=$((100 * 16 + chunk)) count=1 oflag=direct conv=notrunc
    done 2>/dev/null
}

fact drbd-version "$(sed -n 's/^version: \([^ ]*\).*/\1/p' /proc/drbd)"
create_device r0 0 /dev/vda
create_device r10 10 /dev/drbd0
fact outer-bytes "$(bytes_of 0)"
fact inner-bytes "$(bytes_of 10)"
fact gi-outer "$(drbdsetup-84 get-gi 0)"

# With all bits set, as after create-md, DRBD would not keep the activity log.
drbd new-current-uuid 10 --clear-bitmap
write_random /dev/drbd10 20 1024

drbd new-current-uuid 10 --clear-bitmap
fact gi-truck "$(drbdsetup-84 get-gi 10)"
write_random /dev/drbd10 100 64
write_at_leisure &
dd if=/dev/vda of=/dev/vdb bs=1M iflag=direct oflag=direct conv=notrunc
wait

drbd new-current-uuid 10
write_random /dev/drbd10 132 3072
fact gi-after "$(drbdsetup-84 get-gi 10)"
cat /proc/drbd
stop_device 10
stop_device 0
