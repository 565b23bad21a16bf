# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# A stack, copied to another disk while it is in use, as LINBIT's guide has it for truck based
# replication. The two disks are where the other scenarios start.

noise_disk "$scenario_dir/source.img" 256
empty_disk "$scenario_dir/copy.img" 320
boot truck truck -- "$scenario_dir/source.img" "$scenario_dir/copy.img"

check_like "DRBD" "$(fact drbd-version)" '^8\.4\.'
check_like "outer device" "$(fact outer-sectors) sectors" '^[1-9][0-9]* sectors$'
check_like "inner device" "$(fact inner-sectors) sectors" '^[1-9][0-9]* sectors$'
check_like "gi at the truck" "$(fact gi-truck)" '^[0-9A-F]{16}:[0-9A-F]{16}:'
check_like "gi afterwards" "$(fact gi-after)" '^[0-9A-F]{16}:[0-9A-F]{16}:'
fact outer-sectors >"$scenario_dir/outer-sectors"
fact inner-sectors >"$scenario_dir/inner-sectors"
fact gi-outer | cut -d : -f 1 >"$scenario_dir/outer-uuid"

# What makes the handshake find the bitmap: the source's bitmap UUID is the copy's current one.
check "source's bitmap UUID" "$(fact gi-after | cut -d : -f 2)" "$(fact gi-truck | cut -d : -f 1)"

inner_sectors=$(fact inner-sectors)
if same_data source copy; then
    fail_row "source and copy" "equal: nothing was written after the truck left"
else
    row "source and copy" "differ, as they should"
fi
[[ -e "$scenario_dir/failed" ]] || touch "$scenario_dir/complete"
