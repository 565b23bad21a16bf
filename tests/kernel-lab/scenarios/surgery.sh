# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# What edit, relocate and repair leave: each result attaches, has the bits that it had, and only those are synced.
#
# One disk, 24 MiB, that wrote 1 MiB while its peer was away. Each case changes a copy of it and lets that meet a copy
# of the peer.

readonly DEVICE_BYTES=$((49072 * 512))
readonly WRITTEN_KIB=1024 ALL_KIB=$((DEVICE_BYTES / 1024))
readonly MD=$(((24 << 20) - 4096))

# case_of NAME: a copy of the disk, to be changed; its log is applied, which marks nothing: it was stopped in order.
case_of() {
    name=$1
    names+=("$name")
    md_disk[$name]=$name
    index[$name]=internal
    expected_kib[$name]=$WRITTEN_KIB
    copy_disk made "$name"
    run_mdtool apply-al "$name.img" --yes
}

grow() {
    truncate -s "$1" "$(disk "$name")"
}

# zero AT COUNT, noise AT COUNT: bytes of the case's disk.
zero() {
    dd if=/dev/zero of="$(disk "$name")" bs=1 seek="$1" count="$2" conv=notrunc status=none
}

noise() {
    dd if=/dev/urandom of="$(disk "$name")" bs=4096 seek="$(($1 / 4096))" count="$(($2 / 4096))" conv=notrunc status=none
}

# byte AT OCTAL
byte() {
    printf '%b' "\\0$2" | dd of="$(disk "$name")" bs=1 seek="$1" conv=notrunc status=none
}

make_cases() {
    case_of relocate-grown
    grow 32M
    run_mdtool relocate "$name.img" --yes

    case_of relocate-for-size
    grow 32M
    run_mdtool relocate "$name.img" --yes
    run_mdtool relocate "$name.img" --for-size 25MiB --yes
    truncate -s 25M "$(disk "$name")"

    case_of relocate-external
    run_mdtool relocate "$name.img" --meta "$name-md.img" --yes
    md_disk[$name]=$name-md
    index[$name]=flexible

    case_of edit-there-and-back
    run_mdtool edit "$name.img" --format v09 --node-id 0 --peer 1 --max-peers 1 --yes
    run_mdtool edit "$name.img" --format v08 --peer 1 --yes

    case_of edit-log
    grow 32M
    run_mdtool relocate "$name.img" --yes
    run_mdtool edit "$name.img" --al-stripes 2 --al-stripe-size 64KiB --yes

    case_of repair-magic
    zero $((MD + 60)) 4
    run_mdtool repair "$name.img" --yes

    case_of repair-log
    noise $((MD - 32768)) 32768
    # CONSISTENT, PRIMARY_IND and WAS_UP_TO_DATE, and the log is not applied.
    byte $((MD + 59)) 023
    run_mdtool repair "$name.img" --yes
    expected_kib[$name]=$ALL_KIB

    case_of repair-beyond
    # The device's 6134 bits end within byte 766.
    byte $((MD - 32768 - 4096 + 766)) 300
    run_mdtool repair "$name.img" --yes
}

# list_cases: for the machine, and its disks in order.
list_cases() {
    local letters=abcdefghijklmnopqrstuvwxyz name data md
    : >"$scenario_dir/cases"
    for name in "${names[@]}"; do
        copy_disk peer "$name-peer"
        data=/dev/vd${letters:0:1}
        letters=${letters:1}
        disks+=("$name")
        md=$data
        if [[ "${md_disk[$name]}" != "$name" ]]; then
            md=/dev/vd${letters:0:1}
            letters=${letters:1}
            disks+=("${md_disk[$name]}")
        fi
        printf '%s %s %s %s %s\n' "$name" "$data" "$md" "${index[$name]}" "/dev/vd${letters:0:1}" >>"$scenario_dir/cases"
        letters=${letters:1}
        disks+=("$name-peer")
    done
}

# check_case NAME MINOR
check_case() {
    local kib=${expected_kib[$1]}
    row "$1" ""
    check "  attach" "exit status $(fact "attach-$1")" "exit status 0"
    check "  bits on disk" "$(bits_on_disk "$2")" "$((kib / 4)) bits"
    check "  handshake" "$(kernel_line "drbd$2: uuid_compare")" "block drbd$2: uuid_compare()=1 by rule 70"
    check "  sync" "$(kernel_line "drbd$2: Began resync")" \
        "block drbd$2: Began resync as SyncSource (will sync $kib KB [$((kib / 4)) bits set])."
    check "  at the end" "$(fact "dstate-$1"), $(fact "bytes-$1") bytes" "UpToDate/UpToDate, $DEVICE_BYTES bytes"
    check_equal "$1" "$1-peer" "$DEVICE_BYTES"
}

declare -A md_disk=() index=() expected_kib=()
declare -a names=() disks=()
noise_disk made 24
copy_disk made peer
boot make surgery-make -- made peer
check "device" "$(fact bytes) bytes" "$DEVICE_BYTES bytes"
if same_data made peer "$DEVICE_BYTES"; then
    fail_row "before" "the two disks have the same data"
fi
make_cases
list_cases
boot meet surgery-meet "$scenario_dir/cases" -- "${disks[@]}"
minor=0
for name in "${names[@]}"; do
    check_case "$name" "$minor"
    minor=$((minor + 2))
done
