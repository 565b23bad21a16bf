# shellcheck shell=sh
# Runs the commands in /lab/steps, as `mdtool plan --departure` printed them, on the stack on /dev/vda (r10 on
# r0), which is in use; the copy goes to /dev/vdb, and comes up as r20. What drbd20 then gives to a reader is
# copied to the last disk. Each command's exit status is a fact, by its name.
#
# The machine has neither drbdadm nor a second host: those words are functions, which do what drbdadm would.
#
# Written, at MiB of the inner device, for a first truck:
#  100  1 MiB while the copy is made
#  132  3 MiB after the next generation has begun
# and for a second one (SECOND):
#   60  1 MiB when the resource is back in service
# What arrived of the first at 40 MiB is broken once.

# shellcheck source=lib.sh
. /lab/lib.sh
mkdir -p /root
cd /root

# On the target there is one resource more, which the source's name means there.
drbdadm() {
    stacked=
    [ "$1" != --stacked ] || { stacked=1; shift; }
    verb=$1
    shift
    options=
    while [ "$#" -gt 1 ]; do
        options="$options $1"
        shift
    done
    case $verb in
    disconnect) ;; # It never was connected.
    secondary | primary | detach) drbd "$verb" 10 ;;
    attach)
        meta 10 v08 /dev/drbd0 internal apply-al
        drbd attach 10 /dev/drbd0 /dev/drbd0 internal
        ;;
    new-current-uuid) drbd new-current-uuid 10 $options ;;
    up)
        [ -z "$stacked" ] || return 1
        meta 20 v08 /dev/vdb internal apply-al
        new_device r20 20
        drbd attach 20 /dev/vdb /dev/vdb internal
        fact attached "$(disk_states 20)"
        ;;
    connect)
        sync_fast 10
        sync_fast 20
        connect_pair r20 7020 r10 7010
        ;;
    *) return 1 ;;
    esac
}

# The other host is this one.
ssh() {
    shift
    "$@"
}

scp() {
    [ -s "$1" ]
}

# Nothing is mounted on a device full of noise.
umount() {
    [ -b "$1" ]
}

mount() {
    [ -b "$1" ]
}

write_at_leisure() {
    for chunk in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
        dd if=/dev/urandom of=/dev/drbd10 bs=64k seek=$((100 * 16 + chunk)) count=1 oflag=direct conv=notrunc
    done 2>/dev/null
}

start_device r0 0 /dev/vda
drbd primary 0
start_device r10 10 /dev/drbd0
drbd primary 10

while IFS="$(printf '\t')" read -r id command; do
    echo "+ $command"
    status=0
    if [ "$id" = copy ] && [ -z "${SECOND:-}" ]; then
        write_random /dev/drbd10 100 64
        write_at_leisure &
    fi
    eval "$command" </dev/null || status=$?
    wait
    fact "$id" "$status"
    [ "$status" = 0 ] || [ "$id" = check ] || break
    case $id in
    copy) [ -n "${SECOND:-}" ] || write_random /dev/vdb 40 64 ;;
    next-generation) write_random /dev/drbd10 132 3072 ;;
    mount) write_random /dev/drbd10 60 1024 ;;
    esac
done </lab/steps

wait_for 120 both_up_to_date 10 20 || echo 'not up to date in time'
cat /proc/drbd
for minor in 10 20; do
    fact "dstate-$minor" "$(disk_states $minor)"
    fact "bytes-$minor" "$(bytes_of $minor)"
done

# Only a primary can be read from.
drbd secondary 10
drbd primary 20
dd if=/dev/drbd20 of=/dev/vdc bs=1M iflag=direct oflag=direct conv=notrunc
stop_device 20
