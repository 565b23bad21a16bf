# shellcheck shell=sh
# Builds a stack on /dev/vda, writes something, and brings it down again.

# shellcheck source=lib.sh
. /lab/lib.sh

create_device r0 0 /dev/vda
create_device r10 10 /dev/drbd0
fact outer-bytes "$(bytes_of 0)"
fact inner-bytes "$(bytes_of 10)"
# With all bits set, as after create-md, DRBD would not keep the activity log.
drbd new-current-uuid 10 --clear-bitmap
write_random /dev/drbd10 20 1024
stop_device 10
stop_device 0
