# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# A second truck instead of a line: the copy of the first, at exactly its level's size, gets what was written
# since, and the source's generation, by the commands that `plan --departure` prints for that, as printed. There is no
# snapshot: it is read from the outer resource's device. 1 MiB later the two meet.

take_truck
run_mdtool copy copy.img level.img --stacked
check "size of the copy" "$(stat -c '%s bytes' "$scenario_dir/level.img")" "$outer_bytes bytes"
mv "$(disk level)" "$(disk copy)"
plan_steps second_truck "$outer_bytes"
empty_disk reader 136
boot second departure SECOND=1 "$scenario_dir/steps" -- source copy reader
check_steps
check_like "data sent" "$(grep -m 1 -o '[0-9.]* MiB of data' "$boot_log")" '^[1-9][0-9.]* MiB of data$'
check "attached as" "$(fact attached)" UpToDate/DUnknown
sync_kib=1024
check_handshake
check_synced
check_contents
