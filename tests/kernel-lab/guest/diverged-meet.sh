# shellcheck shell=sh
# The same two, brought up as drbdadm does, connected, and down again when both are up to date.

# shellcheck source=lib.sh
. /lab/lib.sh

start_device r0 0 /dev/vda
start_device r1 1 /dev/vdb
sync_fast 0
sync_fast 1
connect_pair r0 7000 r1 7001
wait_for 120 both_up_to_date 0 1 || echo 'not up to date in time'
cat /proc/drbd
fact dstate-0 "$(disk_states 0)"
fact dstate-1 "$(disk_states 1)"
drbd disconnect ipv4:127.0.0.1:7000 ipv4:127.0.0.1:7001
drbd disconnect ipv4:127.0.0.1:7001 ipv4:127.0.0.1:7000
drbd detach 0
drbd detach 1
sync
