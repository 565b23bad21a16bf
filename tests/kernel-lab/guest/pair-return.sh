# shellcheck shell=sh
# After the crash: the primary's disk is /dev/vda, its peer's /dev/vdb, /dev/vdc is the former as it was.

# shellcheck source=lib.sh
. /lab/lib.sh

new_device r2 2
try attach-untreated drbd attach 2 /dev/vdc /dev/vdc internal

[ "$APPLY_AL" = mdtool ] || meta 0 v08 /dev/vda internal apply-al
new_device r0 0
try attach drbd attach 0 /dev/vda /dev/vda internal
start_device r1 1 /dev/vdb
sync_fast 0
sync_fast 1
connect_pair r0 7000 r1 7001
wait_for 120 both_up_to_date 0 1 || echo 'not up to date in time'
cat /proc/drbd
fact dstate-0 "$(disk_states 0)"
fact dstate-1 "$(disk_states 1)"

drbd primary 1
dd if=/dev/drbd1 of=/dev/vdd bs=1M iflag=direct oflag=direct conv=notrunc
stop_device 1
