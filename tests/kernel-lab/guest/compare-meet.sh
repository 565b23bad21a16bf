# shellcheck shell=sh
# The pairs of compare-make.sh, brought up as drbdadm does, and connected: b first, then a.

# shellcheck source=lib.sh
. /lab/lib.sh

disk_of() {
    echo "$DISKS" | cut -d ' ' -f $(($1 + 1))
}

settled() {
    case "$(drbdsetup-84 cstate "$1")" in
    Connected | StandAlone) return 0 ;;
    *) return 1 ;;
    esac
}

# meet NAME [OPTION…]: the next pair; the options are a's connection's, those after -- b's.
meet() {
    name=$1
    shift
    for minor in $a $b; do
        start_device r$minor $minor "$(disk_of $minor)"
        sync_fast $minor
    done
    case $name in *a-primary) drbd primary $a ;; esac
    own=
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        own="$own $1"
        shift
    done
    [ $# = 0 ] || shift
    drbd connect r$b ipv4:127.0.0.1:$((7000 + b)) ipv4:127.0.0.1:$((7000 + a)) "$@"
    until_it_listens
    # shellcheck disable=SC2086
    drbd connect r$a ipv4:127.0.0.1:$((7000 + a)) ipv4:127.0.0.1:$((7000 + b)) $own
    wait_for 30 settled $a || echo "$name did not settle"
    wait_for 5 settled $b || echo "$name: b did not settle"
    a=$((a + 2))
    b=$((b + 2))
}

ip link set lo up
a=0
b=1
meet equal
meet a-wrote
meet b-wrote-a-primary
meet both-wrote
meet both-discard-a --discard-my-data
meet both-least-changes --after-sb-0pri=discard-least-changes -- --after-sb-0pri=discard-least-changes
meet a-crashed
meet b-anew
meet a-twice
meet b-outdated
meet b-invalidated
meet both-forced
cat /proc/drbd
