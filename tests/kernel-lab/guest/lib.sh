# shellcheck shell=sh
# For the scripts that run in the laboratory's machine. POSIX sh, busybox.

# shellcheck source=/dev/null
. /lab/env

# fact NAME VALUE…: something that the host will ask for.
fact() {
    echo "FACT $*"
}

# Every command to DRBD is printed: the log of a boot is also what one would type.
drbd() {
    echo "+ drbdsetup-84 $*"
    drbdsetup-84 "$@"
}

meta() {
    echo "+ drbdmeta --force $*"
    drbdmeta --force "$@"
}

# try NAME COMMAND…: its exit status as a fact, and the first line that it printed.
try() {
    name=$1
    shift
    status=0
    "$@" >/tmp/try 2>&1 || status=$?
    cat /tmp/try
    fact "$name" "$status"
    fact "$name-said" "$(grep -v '^+' /tmp/try | grep . | tr '\n' ' ')"
}

# new_device RESOURCE MINOR: configured, without a disk.
new_device() {
    mknod "/dev/drbd$2" b 147 "$2"
    drbd new-resource "$1"
    drbd new-minor "$1" "$2" 0
}

# create_device RESOURCE MINOR DISK: a resource with new metadata, primary and up to date.
create_device() {
    meta "$2" v08 "$3" internal create-md
    new_device "$1" "$2"
    drbd attach "$2" "$3" "$3" internal
    drbd primary "$2" --force
}

# sync_fast MINOR: as fast as it can; left alone, DRBD starts with 250 KiB/s and takes seconds to dare more.
sync_fast() {
    drbd disk-options "$1" --c-plan-ahead=0 --resync-rate=1000M
}

# start_device RESOURCE MINOR DISK: an existing resource, as drbdadm brings one up.
start_device() {
    meta "$2" v08 "$3" internal apply-al
    new_device "$1" "$2"
    drbd attach "$2" "$3" "$3" internal
}

# stop_device MINOR: an orderly end; its metadata is then settled on its disk.
stop_device() {
    drbd secondary "$1"
    drbd detach "$1"
}

# until_it_listens: two that call each other at the same moment hang up ("initial packet crossed"), and try again together. One that found nobody waits for
# ten seconds to be called.
until_it_listens() {
    sleep 0.5
}

# connect_pair RESOURCE PORT RESOURCE PORT: two resources of this kernel as each other's peer.
connect_pair() {
    ip link set lo up
    # Half a second without an answer is no lost peer on a busy host: 30 seconds are.
    drbd connect "$1" "ipv4:127.0.0.1:$2" "ipv4:127.0.0.1:$4" --ping-timeout=300
    until_it_listens
    drbd connect "$3" "ipv4:127.0.0.1:$4" "ipv4:127.0.0.1:$2" --ping-timeout=300
}

# write_random DEVICE MIB COUNT_KIB: that much at that place, through to the disk.
write_random() {
    dd if=/dev/urandom of="$1" bs=64k seek=$(($2 * 16)) count=$(($3 / 64)) oflag=direct conv=notrunc 2>/dev/null
}

# wait_for SECONDS COMMAND…: until it succeeds; the seconds are this machine's own.
wait_for() {
    deadline=$(($(uptime_seconds) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(uptime_seconds)" -lt "$deadline" ] || return 1
        sleep 0.2
    done
}

uptime_seconds() {
    cut -d . -f 1 /proc/uptime
}

# disk_states MINOR: its own and its peer's, as DRBD writes them.
disk_states() {
    drbdsetup-84 dstate "$1"
}

both_up_to_date() {
    [ "$(disk_states "$1")" = UpToDate/UpToDate ] && [ "$(disk_states "$2")" = UpToDate/UpToDate ]
}

# bytes_of MINOR: its size; a secondary cannot be opened to be asked.
bytes_of() {
    echo $(($(cat "/sys/block/drbd$1/size") * 512))
}
