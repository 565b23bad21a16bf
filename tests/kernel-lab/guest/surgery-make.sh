# shellcheck shell=sh
# A pair, up to date and then apart: minor 0 on /dev/vda is written to, 1 MiB that its peer on /dev/vdb lacks.

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
drbd disconnect ipv4:127.0.0.1:7000 ipv4:127.0.0.1:7001
drbd disconnect ipv4:127.0.0.1:7001 ipv4:127.0.0.1:7000
drbd primary 0
write_random /dev/drbd0 8 1024
fact bytes "$(bytes_of 0)"
stop_device 0
drbd detach 1
