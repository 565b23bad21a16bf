# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# The premise: as it came off the truck, the copy is nothing, or it is the outer resource.

take_truck
boot as-it-is attach -- "$scenario_dir/copy.img"
check_like "copy as it is" "attach: $(fact attach-said)" 'No valid meta-data signature found'

truncate -s 256M "$scenario_dir/copy.img"
boot cut-to-the-disk attach -- "$scenario_dir/copy.img"
check "copy cut to the disk" "attach: exit status $(fact attach)" "attach: exit status 0"
check "its size" "$(fact sectors) sectors" "$outer_sectors sectors"
# Without the last digit, whose lowest bit says whether it is primary.
check "its current UUID" "$(fact gi | cut -c 1-15)" "$(cut -c 1-15 "$work/truck/outer-uuid")"
