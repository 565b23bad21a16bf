# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# The whole truck with mdtool's own commands: what `plan --departure` prints is what is run, as printed, in a
# machine where the stack is in use. Then a second truck with what was written since.

noise_disk source 136
noise_disk copy 264
noise_disk exact 136
boot build build -- source
inner_bytes=$(fact inner-bytes)
outer_bytes=$(fact outer-bytes)
check_like "outer device" "$outer_bytes bytes" '^[1-9][0-9]* bytes$'

# plan_steps KEY: the commands as a file, each with its name before it.
plan_steps() {
    (cd "$scenario_dir" && "$mdtool" plan source.img --stacked --departure --json --resource r10 --minor 10 \
        --device /dev/vda --to-host HOST --to-disk "$1" >plan.json) || die "$scenario: plan --departure failed"
    jq -r ".$2[] | .id + \"\\t\" + .command" "$scenario_dir/plan.json" >"$scenario_dir/steps"
    check_like "commands printed" "$(wc -l <"$scenario_dir/steps")" '^[1-9][0-9]*$'
}

plan_steps /dev/vdb steps
empty_disk reader 136
boot departure departure "$scenario_dir/steps" -- source copy reader
while IFS=$'\t' read -r id command; do
    check "$id" "exit status $(fact "$id"): $command" "exit status 0: $command"
done <"$scenario_dir/steps"

# What plan said of the handshake is what comes of it.
check "decision" "$(jq -r '.decision_code + " " + (.rules | join(" "))' "$scenario_dir/plan.json")" 'source-bitmap 70 50'

# What was written while the copy was made and after it, and the extents in the copy's activity log.
check "attached as" "$(fact attached)" UpToDate/DUnknown
check "handshake" "$(kernel_line 'drbd10: uuid_compare')" 'block drbd10: uuid_compare()=1 by rule 70'
check "" "$(kernel_line 'drbd20: uuid_compare')" 'block drbd20: uuid_compare()=-1 by rule 50'
began=$(kernel_line 'drbd10: Began resync' | sed 's/.*will sync \([0-9]*\) KB.*/\1/')
check_like "synced" "$began KiB" '^[1-9][0-9]{3,4} KiB$'
((began >= 4096 && began <= 3072 + 3 * 4096)) || fail_row "synced" "$began KiB: 4096 were written, in 3 extents at most the log has more"
check_like "" "$(kernel_line 'drbd20: Resync done')" 'Resync done'
check_end 10
check_end 20
check_equal source copy "$inner_bytes"
check_equal source reader "$inner_bytes"
# Nothing of the outer's metadata is in the copy.
if (cd "$scenario_dir" && "$mdtool" locate copy.img --scan full --json >located.json); then
    check "levels in the copy" "$(jq '.levels | length' "$scenario_dir/located.json")" 1
else
    fail_row "levels in the copy" "none found"
fi
