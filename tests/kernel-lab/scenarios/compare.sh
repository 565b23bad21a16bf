# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# Pairs of replicas, made by operations: what `mdtool compare` says of their disks, and what the kernel then decides.

# In the order of guest/compare-make.sh, each with what mdtool is told and how a and b are connected.
readonly -a PAIRS=(
    equal a-wrote b-wrote-a-primary both-wrote both-discard-a both-least-changes
    a-crashed b-anew a-twice b-outdated b-invalidated both-forced
)
readonly -A TOLD=(
    [b-wrote-a-primary]='--primary a'
    [both-discard-a]='--net a:discard-my-data=yes'
    [both-least-changes]='--net after-sb-0pri=discard-least-changes'
)

# kernel_says NUMBER: rule, direction and bits of the first minor's handshake, in mdtool's words.
kernel_says() {
    local minor=drbd$((2 * $1)) line rule began how=bitmap
    line=$(kernel_line "$minor: uuid_compare")
    rule=${line##* by rule }
    began=$(kernel_line "$minor: Began resync as" |
        sed -n 's/.*as Sync\([A-Za-z]*\) .*\[\([0-9]*\) bits set\].*/\1 \2/p')
    if [[ -n "$(kernel_line "$minor: Split-Brain detected but unresolved")" ]]; then
        printf '%s split-brain null\n' "$rule"
    elif [[ -n "$(kernel_line "$minor: Unrelated data")" ]]; then
        printf '%s unrelated null\n' "$rule"
    elif [[ -z "$began" ]]; then
        printf '%s no-sync null\n' "$rule"
    else
        [[ -z "$(kernel_line "$minor: Writing the whole bitmap, full sync")" ]] || how=full
        printf '%s %s-%s %s\n' "$rule" "$(tr 'ST' 'st' <<<"${began%% *}")" "$how" "${began##* }"
    fi
}

# predicted NUMBER: the same of mdtool, before.
predicted() {
    local -a told
    read -ra told <<<"${TOLD[${PAIRS[$1]}]-}"
    "$mdtool" compare "$(disk "p$1-a")" "$(disk "p$1-b")" --kernel 8.4 "${told[@]}" --json |
        jq -r '.pairs[0] | "\(.rule) \(.decision) \(if .sync_bits == 0 then null else .sync_bits end)"'
}

declare -a disks=() names=() expected=()
letters=abcdefghijklmnopqrstuvwxyz
for ((pair = 0; pair < ${#PAIRS[@]}; pair++)); do
    for side in a b; do
        noise_disk "p$pair-$side" 16
        names+=("p$pair-$side")
        disks+=("/dev/vd${letters:0:1}")
        letters=${letters:1}
    done
done
boot make compare-make "DISKS=${disks[*]}" -- "${names[@]}"
# Its exit status says whether something stands in the way or is lost.
for ((pair = 0; pair < ${#PAIRS[@]}; pair++)); do
    expected+=("$(predicted "$pair" || true)")
done
boot meet compare-meet "DISKS=${disks[*]}" -- "${names[@]}"
for ((pair = 0; pair < ${#PAIRS[@]}; pair++)); do
    check "${PAIRS[pair]}" "$(kernel_says "$pair")" "${expected[pair]}"
done
