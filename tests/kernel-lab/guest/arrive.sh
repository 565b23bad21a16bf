# shellcheck shell=sh
# The source (outer r0, inner r10) on /dev/vda, the copy on /dev/vdb: brings the copy up as r20, lets the
# two meet, and copies what drbd20 then gives to a reader to the last disk.
#
# METADATA: the disk with the copy's metadata, where it is not the copy itself. READER: the last disk.
# DUMP: a dump in /lab for drbdmeta to restore first. BEFORE: begin_again, where the copy is of the generation
# that the source has on its disk.

# shellcheck source=lib.sh
. /lab/lib.sh

if [ -n "${METADATA:-}" ]; then
    md="$METADATA flex-external"
    attach="$METADATA flexible"
else
    md='/dev/vdb internal'
    attach='/dev/vdb internal'
fi

# Before anything is written: the copy has all that the bits stood for.
begin_again() {
    drbd new-current-uuid 10 --clear-bitmap
    drbd primary 10
    write_random /dev/drbd10 60 1024
}

start_device r0 0 /dev/vda
drbd primary 0
start_device r10 10 /dev/drbd0
${BEFORE:-drbd primary 10}

# shellcheck disable=SC2086  # two words each
{
    [ -z "${DUMP:-}" ] || try restore-md meta 20 v08 $md restore-md "/lab/$DUMP"
    # As drbdadm does before every attach.
    try apply-al meta 20 v08 $md apply-al
    new_device r20 20
    try attach drbd attach 20 /dev/vdb $attach
}
fact attached "$(disk_states 20)"

sync_fast 10
sync_fast 20
connect_pair r20 7020 r10 7010
wait_for 120 both_up_to_date 10 20 || echo 'not up to date in time'
cat /proc/drbd
for minor in 10 20; do
    fact "dstate-$minor" "$(disk_states $minor)"
    fact "bytes-$minor" "$(bytes_of $minor)"
done

# Only a primary can be read from.
drbd secondary 10
drbd primary 20
dd if=/dev/drbd20 of="$READER" bs=1M iflag=direct oflag=direct conv=notrunc
stop_device 20
