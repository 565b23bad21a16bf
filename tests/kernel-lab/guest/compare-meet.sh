# shellcheck shell=sh
# The same pairs, brought up as drbdadm does, and connected: b first, then a.

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

pair=0
while [ $pair -lt 10 ]; do
    a=$((2 * pair))
    b=$((a + 1))
    for minor in $a $b; do
        start_device r$minor $minor "$(disk_of $minor)"
        sync_fast $minor
    done
    connect_pair r$b $((7000 + b)) r$a $((7000 + a))
    wait_for 20 settled $a || echo "pair $pair did not settle"
    wait_for 20 settled $b || echo "pair $pair did not settle"
    pair=$((pair + 1))
done
cat /proc/drbd
