# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# Superblocks that DRBD attaches, and such that it refuses: this kernel's answer to each, held against the
# record in testdata/attach/, and against what `mdtool check` says that a kernel of 8.4 would answer.
#
# LAB_RECORD=FILE: writes the kernel's answers to FILE instead of comparing them with the record.

# make_disks: every base as a disk, in the table's order behind the data; from /dev/vdb on.
make_disks() {
    local name index at letters=bcdefghijklmnopqrstuvwxyz
    empty_disk data 16
    bases=(data)
    while read -r name index at; do
        unpack_blocks "$testdata/bases/$name.blocks" "$(disk "$name")"
        bases+=("$name")
        base_index[$name]=$index
        base_at[$name]=$at
        base_disk[$name]=/dev/vd${letters:0:1}
        letters=${letters:1}
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
    local said line of='refusing|[Mm]eta[ -]data|[Mm]eta device|al_stripes|bm_bytes_per_bit'
    said=$(fact "$1")
    [[ "$said" != '0 '* ]] || of='^disk\( Attaching'
    line=$(sed -n "/drbd lab: case $1\$/,/drbd lab: case /s/^K| \[[^]]*\] block drbd[0-9]*: //p" "$boot_log" |
        grep -m 1 -E "$of" || true)
    [[ -n "$line" ]] || line=${said#*Failure: (*) }
    printf '%s\n' "${line% }"
}

# check_all: what mdtool says that a kernel of 8.4 would answer, of the images that the kernel was given. 119
# where it finds nothing in that place; anything but a number where it could not say.
check_all() {
    local name base status file at code
    for name in "${names[@]}"; do
        base=${case_base[$name]}
        status=0
        dd if="$scenario_dir/$name.sb" of="$(disk "$base")" bs=4096 seek=$((base_at[$base] / 4096)) \
            conv=notrunc status=none
        timeout 60 "$mdtool" check "$(disk "$base")" --index "${base_index[$base]}" --json \
            >"$scenario_dir/$name.json" 2>"$scenario_dir/check.err" || status=$?
        check_code[$name]=unreadable
        ((status < 2)) || check_code[$name]="status $status, $(head -n 1 "$scenario_dir/check.err")"
    done
    while IFS=$'\t' read -r file at code; do
        name=$(basename "$file" .json)
        case $at in
        levels) [[ "${check_code[$name]}" != unreadable ]] || check_code[$name]=119 ;;
        "${base_at[${case_base[$name]}]}") check_code[$name]=$code ;;
        esac
    done < <(jq -r '[input_filename, "levels", (.levels | length)], (.levels[] | [input_filename, .md_offset, .attach["8.4"]]) | @tsv' \
        "$scenario_dir"/*.json)
}

# compare_case NAME: a row of the table.
compare_case() {
    local kernel check recorded words verdict=agree
    kernel=$(kernel_code "$1")
    words=$(kernel_words "$1") || true
    check=${check_code[$1]}
    recorded=$(sed -n "s/^$1\t//p" "$testdata/drbd-8.4.11.txt")
    printf '%s\t%s\t%s\n' "$1" "$kernel" "$words" >>"$scenario_dir/record"
    [[ "$kernel" == "$check" ]] || verdict="DISAGREE: check says '$check'"
    [[ "$kernel" == "${case_code[$1]}" ]] || verdict="$verdict; EXPECTED ${case_code[$1]}"
    [[ -n "${LAB_RECORD:-}" || "$recorded" == "$kernel"$'\t'"$words" ]] || verdict="$verdict; RECORDED '$recorded'"
    printf '    %-28s %3s %6s %6s  %-8s %s\n' "$1" "${case_row[$1]}" "${kernel:-none}" "$check" "$verdict" "$words"
    [[ "$verdict" == agree ]] || touch "$scenario_dir/failed"
}

declare -A base_index=() base_at=() base_disk=() case_row=() case_base=() case_code=() check_code=()
declare -a bases=() names=()
make_disks
make_cases
boot attach attach-table "$scenario_dir/cases" "$scenario_dir"/*.sb -- "${bases[@]}"
check "DRBD" "$(fact drbd-version)" 8.4.11
check_all

printf '    %-28s %3s %6s %6s  %-8s %s\n' case row kernel check verdict 'what the kernel said'
for name in "${names[@]}"; do
    compare_case "$name"
done
row "cases" "${#names[@]}, of which the kernel refused $(awk -F '\t' '$2 != 0' "$scenario_dir/record" | wc -l)"
if [[ -n "${LAB_RECORD:-}" ]]; then
    cp "$scenario_dir/record" "$LAB_RECORD"
fi
