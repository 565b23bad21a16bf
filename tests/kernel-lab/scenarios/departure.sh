# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# The whole truck with mdtool's own commands: what `plan --departure` prints is what is run, as printed, in a
# machine where the stack is in use. A chunk is broken on the way, found, and sent again.

noise_disk source 136
noise_disk copy 264
boot build build -- source
inner_bytes=$(fact inner-bytes)
outer_bytes=$(fact outer-bytes)
check_like "outer device" "$outer_bytes bytes" '^[1-9][0-9]* bytes$'

plan_steps steps $((264 << 20))
empty_disk reader 136
boot departure departure "$scenario_dir/steps" -- source copy reader
check_steps

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
