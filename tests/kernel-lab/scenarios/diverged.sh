# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# Two replicas, both UpToDate, that differ where no bitmap says so: found by `diff`, marked, sent, and equal.

# What is planted: one block, 16 of them, and two bytes that two blocks share: 19 bits.
readonly PLANTED_BITS=19

# plant_bytes OFFSET LENGTH: other bytes at that place of the second replica, every one of them.
plant_bytes() {
    dd if="$(disk left)" iflag=skip_bytes,count_bytes bs=64k skip="$1" count="$2" status=none |
        LC_ALL=C tr '\000-\377' '\001-\377\000' |
        dd of="$(disk right)" oflag=seek_bytes bs=64k seek="$1" conv=notrunc status=none
}

# diff_says: the exit status of `mdtool diff`, and how much differs unnoticed.
diff_says() {
    local status=0
    "$mdtool" diff "$(disk left)" "$(disk right)" --json >"$scenario_dir/diff.json" 2>"$scenario_dir/diff.err" || status=$?
    printf 'exit %s, %s bytes\n' "$status" "$(jq .differ_unmarked_bytes "$scenario_dir/diff.json")"
}

noise_disk left 64
copy_disk left right
boot make diverged-make -- left right
check "before" "$(fact dstate)" UpToDate/UpToDate
bytes=$(fact bytes)
check "diff" "$(diff_says)" "exit 0, 0 bytes"

plant_bytes $((5 << 20)) 4096
plant_bytes $((20 << 20)) 65536
plant_bytes $(((40 << 20) - 1)) 2
check "diff, diverged" "$(diff_says)" "exit 1, $((PLANTED_BITS * 4096)) bytes"

status=0
"$mdtool" diff "$(disk left)" "$(disk right)" --set-bits --sync-source --apply-al --yes --undo "$scenario_dir/undo" \
    >"$scenario_dir/set.out" 2>&1 || status=$?
check "set-bits" "exit $status" "exit 1"
check_like "slot" "$(grep '^slot 0' "$scenario_dir/set.out")" "$PLANTED_BITS bits set"
check_like "next" "$(grep '^next: ' "$scenario_dir/set.out")" SyncSource

boot meet diverged-meet -- left right
check "handshake" "$(kernel_line 'drbd0: uuid_compare')" 'block drbd0: uuid_compare()=1 by rule 70'
check "sync" "$(kernel_line 'drbd0: Began resync')" \
    "block drbd0: Began resync as SyncSource (will sync $((PLANTED_BITS * 4)) KB [$PLANTED_BITS bits set])."
check "drbd0 at the end" "$(fact dstate-0)" UpToDate/UpToDate
check "drbd1 at the end" "$(fact dstate-1)" UpToDate/UpToDate
check "diff, mended" "$(diff_says)" "exit 0, 0 bytes"
check_equal left right "$bytes"
