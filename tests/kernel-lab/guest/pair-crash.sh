# shellcheck shell=sh
# Two resources as each other's peers, up to date; the primary is written to until the power goes.
#
# In extents of 4 MiB: 1, 5, 9, the last (31), and 12 to the end.

# shellcheck source=lib.sh
. /lab/lib.sh

write_for_ever() {
    while :; do
        dd if=/dev/urandom of=/dev/drbd0 bs=64k seek=$((48 * 16)) count=1 oflag=direct conv=notrunc
    done 2>/dev/null
}

connected() {
    [ "$(drbdsetup-84 cstate 0)" = Connected ] && [ "$(drbdsetup-84 cstate 1)" = Connected ]
}

for minor in 0 1; do
    disk=/dev/vda
    [ $minor = 0 ] || disk=/dev/vdb
    meta $minor v08 $disk internal create-md
    new_device r$minor $minor
    drbd attach $minor $disk $disk internal
done
connect_pair r0 7000 r1 7001
wait_for 60 connected
# Both are new and hold the same: there is nothing to sync.
drbd new-current-uuid 0 --clear-bitmap
wait_for 60 both_up_to_date 0 1
drbd primary 0
for mib in 4 20 36 127; do
    write_random /dev/drbd0 $mib 64
done
write_random /dev/drbd0 48 64
fact role "$(drbdsetup-84 role 0)"
fact dstate "$(disk_states 0)"
fact bytes "$(bytes_of 0)"
cat /proc/drbd
write_for_ever &
