# shellcheck shell=sh
# Two resources as each other's peers, both up to date, and then taken down in order.

# shellcheck source=lib.sh
. /lab/lib.sh

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
fact dstate "$(disk_states 0)"
fact bytes "$(bytes_of 0)"
drbd disconnect ipv4:127.0.0.1:7000 ipv4:127.0.0.1:7001
drbd disconnect ipv4:127.0.0.1:7001 ipv4:127.0.0.1:7000
drbd detach 0
drbd detach 1
sync
