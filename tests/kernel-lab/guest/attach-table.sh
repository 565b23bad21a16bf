# shellcheck shell=sh
# Attaches one superblock after the other. /lab/cases has a line for each: its name, the disk, the block of the
# disk where /lab/NAME.sb goes, and the index as drbdsetup has it. /dev/vda is the data where that is on another.

# shellcheck source=lib.sh
. /lab/lib.sh

# A minor of its own for each that attaches: one that had a disk keeps that one's size.
next_minor() {
    minor=$((minor + 1))
    mknod "/dev/drbd$minor" b 147 "$minor"
    drbdsetup-84 new-minor r0 "$minor" "$minor"
}

fact drbd-version "$(sed -n 's/^version: \([^ ]*\).*/\1/p' /proc/drbd)"
drbdsetup-84 new-resource r0
minor=-1
next_minor
while read -r name disk block index; do
    dd if="/lab/$name.sb" of="$disk" bs=4096 seek="$block" oflag=direct conv=notrunc 2>/dev/null
    data=$disk
    [ "$index" = internal ] || data=/dev/vda
    # The kernel's own lines come between these.
    echo "drbd lab: case $name" >/dev/kmsg
    status=0
    drbdsetup-84 attach "$minor" "$data" "$disk" "$index" >/tmp/said 2>&1 || status=$?
    said=
    [ ! -s /tmp/said ] || read -r said </tmp/said
    fact "$name" "$status $said"
    [ "$status" = 0 ] || continue
    drbdsetup-84 detach "$minor"
    next_minor
done </lab/cases
echo "drbd lab: case none" >/dev/kmsg
