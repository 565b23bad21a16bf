# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# A primary that lost power: its activity log is applied, and its peer gets what may differ.

# Where guest/pair-crash.sh was writing, and what that is: four extents, and the last one, 40 KiB short.
readonly -a ACTIVE_MIB=(4 20 36 48 127)
readonly ACTIVE_KIB=$((4 * 4096 + 4056))
readonly DEVICE_BYTES=$(((128 << 20) - 40960))

by=${LAB_APPLY_AL:-mdtool}
noise_disk crashed 128
copy_disk crashed peer
boot crash pair-crash -- crashed peer
check "before the crash" "$(fact role), $(fact dstate)" "Primary/Secondary, UpToDate/UpToDate"
check "device" "$(fact bytes) bytes" "$DEVICE_BYTES bytes"

copy_disk crashed untreated
[[ "$by" == drbdmeta ]] || run_mdtool apply-al crashed.img --undo undo --yes
# As if the peer had not written some of it: 64 KiB in each extent that the log must have.
for mib in "${ACTIVE_MIB[@]}"; do
    dd if=/dev/urandom of="$(disk peer)" bs=64k seek=$((mib * 16 + 2)) count=1 conv=notrunc status=none
done
empty_disk reader 128
boot return pair-return "APPLY_AL=$by" -- crashed peer untreated reader

check_like "untreated" "$(fact attach-untreated-said)" 'Unclean meta-data found'
check "attach of minor 0" "exit status $(fact attach)" "exit status 0"
check "its bits" "$(bits_on_disk 0)" "$((ACTIVE_KIB / 4)) bits"
check "handshake" "$(kernel_line 'drbd0: uuid_compare')" 'block drbd0: uuid_compare()=1 by rule 40'
check "" "$(kernel_line 'drbd1: uuid_compare')" 'block drbd1: uuid_compare()=-1 by rule 40'
check "sync" "$(kernel_line 'drbd0: Began resync')" \
    "block drbd0: Began resync as SyncSource (will sync $ACTIVE_KIB KB [$((ACTIVE_KIB / 4)) bits set])."
check "drbd0 at the end" "$(fact dstate-0)" UpToDate/UpToDate
check "drbd1 at the end" "$(fact dstate-1)" UpToDate/UpToDate
check_equal crashed peer "$DEVICE_BYTES"
check_equal crashed reader "$DEVICE_BYTES"
