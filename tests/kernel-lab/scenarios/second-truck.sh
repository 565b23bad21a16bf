# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# A second truck instead of a line: the copy of the first, at exactly its level's size, gets what was written
# since, and the source's generation. The source clears its bits before it is written to again; 1 MiB later
# the two meet.

take_truck
run_mdtool copy copy.img level.img --stacked
check "size of the copy" "$(stat -c '%s bytes' "$scenario_dir/level.img")" "$outer_bytes bytes"
run_mdtool copy source.img level.img --stacked --changed --yes --json
check_like "data sent" "$(jq .data_bytes "$scenario_dir/mdtool.out") bytes" '^[1-9][0-9]{6,7} bytes$'
check_equal source level "$inner_bytes"
mv "$(disk level)" "$(disk copy)"
empty_disk reader 136
boot arrival arrive 'BEFORE=begin_again' "READER=/dev/vdc" -- source copy reader
copy_kib=0
sync_kib=1024
check_attached
check_handshake
check_synced
check_contents
