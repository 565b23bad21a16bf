# shellcheck shell=sh
# Attaches /dev/vda as minor 20, and says what it turned out to be.

# shellcheck source=lib.sh
. /lab/lib.sh

try apply-al meta 20 v08 /dev/vda internal apply-al
new_device r20 20
try attach drbd attach 20 /dev/vda /dev/vda internal
[ "$(disk_states 20)" = Unconfigured ] || {
    fact gi "$(drbdsetup-84 get-gi 20)"
    fact sectors "$(sectors_of 20)"
}
