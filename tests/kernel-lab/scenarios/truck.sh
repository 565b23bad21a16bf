# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# A stack, copied to another disk while it is in use, as LINBIT's guide has it for truck based
# replication. The two disks are where the other scenarios start.

noise_disk source 136
noise_disk copy 264
boot truck truck -- source copy

check_like "DRBD" "$(fact drbd-version)" '^8\.4\.'
check_like "outer device" "$(fact outer-bytes) bytes" '^[1-9][0-9]* bytes$'
check_like "inner device" "$(fact inner-bytes) bytes" '^[1-9][0-9]* bytes$'
check_like "gi at the truck" "$(fact gi-truck)" '^[0-9A-F]{16}:[0-9A-F]{16}:'
check_like "gi afterwards" "$(fact gi-after)" '^[0-9A-F]{16}:[0-9A-F]{16}:'
# What makes the handshake find the bitmap: the source's bitmap UUID is the copy's current one.
check "source's bitmap UUID" "$(fact gi-after | cut -d : -f 2)" "$(fact gi-truck | cut -d : -f 1)"
if same_data source copy "$(fact inner-bytes)"; then
    fail_row "source and copy" "equal: nothing was written after the truck left"
else
    row "source and copy" "differ, as they should"
fi

fact outer-bytes >"$scenario_dir/outer-bytes"
fact inner-bytes >"$scenario_dir/inner-bytes"
fact gi-outer | cut -d : -f 1 >"$scenario_dir/outer-uuid"
[[ -e "$scenario_dir/failed" ]] || touch "$scenario_dir/complete"
