# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# The premise: as it came off the truck, the copy is nothing; cut to the disk that it was, it is the outer
# resource.

take_truck
copy_disk copy cut
truncate -s 136M "$(disk cut)"
boot attach attach -- copy cut

check_like "copy as it is" "$(fact attach-20-said)" 'No valid meta-data signature found'
check "copy cut to the disk" "attach: exit status $(fact attach-21)" "attach: exit status 0"
check "its size" "$(fact bytes-21) bytes" "$outer_bytes bytes"
# Without the last digit, whose lowest bit says whether it is primary.
check "its current UUID" "$(fact gi-21 | cut -c 1-15)" "$(cut -c 1-15 "$work/truck/outer-uuid")"
