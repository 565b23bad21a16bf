# shellcheck shell=sh
# Attaches one superblock after the other. /lab/cases has a line for each: its name, the disk, the block of the
# disk where /lab/NAME.sb goes, and the index as drbdsetup has it. /dev/vda is the data where that is on another.

# shellcheck source=lib.sh
. /lab/lib.sh

# Nothing may be left of the last one that attached, such as the size of /dev/drbd0.
fresh_device() {
    drbdsetup-84 down r0 2>/dev/null || true
    drbdsetup-84 new-resource r0
    drbdsetup-84 new-minor r0 0 0
}

kernel_said() {
    dmesg -r -c | sed "s/^/K| $1: /"
}

mknod /dev/drbd0 b 147 0
fresh_device
dmesg -c >/dev/null
fact drbd-version "$(sed -n 's/^version: \([^ ]*\).*/\1/p' /proc/drbd)"
while read -r name disk block index; do
    dd if="/lab/$name.sb" of="$disk" bs=4096 seek="$block" oflag=direct conv=notrunc 2>/dev/null
    data=$disk
    [ "$index" = internal ] || data=/dev/vda
    status=0
    drbdsetup-84 attach 0 "$data" "$disk" "$index" >/tmp/said 2>&1 || status=$?
    fact "$name" "$status $(tr '\n' ' ' </tmp/said)"
    kernel_said "$name"
    [ "$status" != 0 ] || fresh_device
done </lab/cases
drbdsetup-84 down r0
