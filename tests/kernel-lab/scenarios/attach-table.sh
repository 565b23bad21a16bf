# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# Superblocks that DRBD attaches, and such that it refuses: this kernel's answer to each, held against the
# record in testdata/attach/, and against what `mdtool check` says that a kernel of 8.4 would answer.
#
# LAB_RECORD=FILE: writes the kernel's answers to FILE instead of comparing them with the record.

# make_disks: every base as a disk, in the table's order behind the data; from /dev/vdb on.
make_disks() {
    local name index at letter=98
    empty_disk data 16
    bases=(data)
    while read -r name index at; do
        unpack_blocks "$testdata/bases/$name.blocks" "$(disk "$name")"
        bases+=("$name")
        base_index[$name]=$index
        base_at[$name]=$at
        printf -v "base_disk[$name]" "/dev/vd\\x$(printf %x "$letter")"
        letter=$((letter + 1))
    done < <(attach_lines base)
}

# make_cases: each case's superblock, and the machine's list of what to do.
make_cases() {
    local name row base code fields index
    local -a changes
    : >"$scenario_dir/cases"
    while read -r name row base code fields; do
        [[ -n "${base_at[$base]:-}" ]] || die "case $name has an unknown base '$base'"
        read -ra changes <<<"$fields"
        superblock "$testdata/bases/$base.blocks" "${base_at[$base]}" "${changes[@]}" >"$scenario_dir/$name.sb"
        index=${base_index[$base]#indexed:}
        [[ "$index" != flex-external ]] || index=flexible
        printf '%s %s %s %s\n' "$name" "${base_disk[$base]}" $((base_at[$base] / 4096)) "$index" >>"$scenario_dir/cases"
        names+=("$name")
        case_row[$name]=$row
        case_base[$name]=$base
        case_code[$name]=$code
    done < <(attach_lines case)
}

# kernel_code NAME: 0 where it attached; else the number that drbdsetup prints in brackets.
kernel_code() {
    local said
    said=$(fact "$1")
    case $said in
    '0 '*) printf '0\n' ;;
    *) sed -n 's/.*Failure: (\([0-9]*\)).*/\1/p' <<<"$said" ;;
    esac
}

# kernel_words NAME: its complaint, or what became of the disk; where drbdsetup alone complains, that.
kernel_words() {
    local lines
    lines=$(sed -n "s/^K| $1: //p" "$boot_log")
    {
        sed -n 's/^<3>\[[^]]*\] block drbd0: //p' <<<"$lines"
        sed -n 's/^<[0-9]>\[[^]]*\] block drbd0: \(disk( Attaching -> .*[^ ]\) *$/\1/p' <<<"$lines"
        fact "$1" | sed 's/^[0-9]* //; s/^0: Failure: ([0-9]*) //; s/[[:space:]]\+/ /g; s/ $//'
    } | grep -m 1 .
}

# check_code NAME: the number that mdtool says for 8.4, by the image that the kernel was given: 119 where it
# finds nothing in that place.
check_code() {
    local base=${case_base[$1]} status=0 answer
    dd if="$scenario_dir/$1.sb" of="$(disk "$base")" bs=4096 seek=$((base_at[$base] / 4096)) conv=notrunc status=none
    "$mdtool" check "$(disk "$base")" --index "${base_index[$base]}" --json \
        >"$scenario_dir/check.json" 2>"$scenario_dir/check.err" || status=$?
    ((status < 2)) || {
        printf 'status %s: %s\n' "$status" "$(head -n 1 "$scenario_dir/check.err")"
        return
    }
    answer=$(jq -r --argjson at "${base_at[$base]}" \
        '[.levels[] | select(.md_offset == $at) | .attach["8.4"]] | if . == [] then 119 else .[0] end' \
        "$scenario_dir/check.json" 2>&1) || answer="no answer: $answer"
    printf '%s\n' "$answer"
}

# compare_case NAME: a row of the table.
compare_case() {
    local kernel check recorded words verdict=agree
    kernel=$(kernel_code "$1")
    words=$(kernel_words "$1") || true
    check=$(check_code "$1")
    recorded=$(sed -n "s/^$1\t//p" "$testdata/drbd-8.4.11.txt")
    printf '%s\t%s\t%s\n' "$1" "$kernel" "$words" >>"$scenario_dir/record"
    [[ "$kernel" == "$check" ]] || verdict="DISAGREE: check says '$check'"
    [[ "$kernel" == "${case_code[$1]}" ]] || verdict="$verdict; EXPECTED ${case_code[$1]}"
    [[ -n "${LAB_RECORD:-}" || "$recorded" == "$kernel"$'\t'"$words" ]] || verdict="$verdict; RECORDED '$recorded'"
    printf '    %-28s %3s %6s %6s  %-8s %s\n' "$1" "${case_row[$1]}" "${kernel:-none}" "$check" "$verdict" "$words"
    [[ "$verdict" == agree ]] || touch "$scenario_dir/failed"
}

declare -A base_index=() base_at=() base_disk=() case_row=() case_base=() case_code=()
declare -a bases=() names=()
make_disks
make_cases
boot attach attach-table "$scenario_dir/cases" "$scenario_dir"/*.sb -- "${bases[@]}"
check "DRBD" "$(fact drbd-version)" 8.4.11

printf '    %-28s %3s %6s %6s  %-8s %s\n' case row kernel check verdict 'what the kernel said'
for name in "${names[@]}"; do
    compare_case "$name"
done
row "cases" "${#names[@]}, of which the kernel refused $(awk -F '\t' '$2 != 0' "$scenario_dir/record" | wc -l)"
if [[ -n "${LAB_RECORD:-}" ]]; then
    cp "$scenario_dir/record" "$LAB_RECORD"
fi
