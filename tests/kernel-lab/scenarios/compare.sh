# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# Ten pairs of replicas, made by operations: what `mdtool compare` says of their disks, and what the kernel then decides.

readonly -a PAIRS=(equal a-wrote b-wrote both-wrote a-crashed b-anew a-twice b-outdated b-invalidated both-forced)

# kernel_says PAIR: rule, direction and bits of the first minor's handshake, in mdtool's words.
kernel_says() {
    local a=$((2 * $1)) line rule sign bits
    line=$(kernel_line "drbd$a: uuid_compare")
    rule=${line##* by rule }
    sign=$(sed -n 's/.*uuid_compare()=\(-\?[0-9]*\) .*/\1/p' <<<"$line")
    bits=$(kernel_line "drbd$a: Began resync as" | sed -n 's/.*as Sync\([A-Za-z]*\) .*\[\([0-9]*\) bits set\].*/\1 \2/p')
    if [[ -n "$(kernel_line "drbd$a: Split-Brain detected but unresolved")" ]]; then
        printf '%s split-brain null\n' "$rule"
    elif [[ -n "$(kernel_line "drbd$a: Unrelated data")" ]]; then
        printf '%s unrelated null\n' "$rule"
    elif [[ -z "$bits" ]]; then
        printf '%s no-sync 0\n' "$rule"
    else
        local how=bitmap
        [[ -z "$(kernel_line "drbd$a: Writing the whole bitmap, full sync")" ]] || how=full
        printf '%s %s-%s %s\n' "$rule" "$(tr 'ST' 'st' <<<"${bits%% *}")" "$how" "${bits##* }"
    fi
    : "$sign"
}

# predicted PAIR: the same of mdtool.
predicted() {
    "$mdtool" compare "$(disk "p$1-a")" "$(disk "p$1-b")" --kernel 8.4 --json 2>/dev/null |
        jq -r '.pairs[0] | "\(.rule) \(.decision) \(.sync_bits)"'
}

declare -a disks=() names=() expected=()
letters=abcdefghijklmnopqrst
for ((pair = 0; pair < ${#PAIRS[@]}; pair++)); do
    for side in a b; do
        noise_disk "p$pair-$side" 16
        names+=("p$pair-$side")
        disks+=("/dev/vd${letters:0:1}")
        letters=${letters:1}
    done
done
boot make compare-make "DISKS=${disks[*]}" -- "${names[@]}"
for ((pair = 0; pair < ${#PAIRS[@]}; pair++)); do
    expected+=("$(predicted "$pair" || true)")
done
boot meet compare-meet "DISKS=${disks[*]}" -- "${names[@]}"
for ((pair = 0; pair < ${#PAIRS[@]}; pair++)); do
    check "${PAIRS[pair]}" "$(kernel_says "$pair")" "${expected[pair]}"
done
