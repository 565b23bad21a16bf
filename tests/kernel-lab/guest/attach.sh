# shellcheck shell=sh
# Attaches each disk under a minor of its own, 20 and 21, and says what they turned out to be.

# shellcheck source=lib.sh
. /lab/lib.sh

for minor in 20 21; do
    disk=/dev/vda
    [ $minor = 20 ] || disk=/dev/vdb
    try apply-al-$minor meta $minor v08 $disk internal apply-al
    new_device r$minor $minor
    try attach-$minor drbd attach $minor $disk $disk internal
    [ "$(disk_states $minor)" = Unconfigured ] || fact gi-$minor "$(drbdsetup-84 get-gi $minor)"
    fact bytes-$minor "$(bytes_of $minor)"
done
