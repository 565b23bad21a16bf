# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# Boots the kernel once with a script to run, and answers questions about what was printed.

# boot NAME SCRIPT [VAR=VALUE | FILE]… -- DISK…
#
# Runs guest/SCRIPT.sh as the machine's only work, with the variables set, the files in /lab, and the
# disks (by the names that disk() knows) as /dev/vda, /dev/vdb… The output is NAME.log in the scenario's
# directory, and is asked about until the next boot.
boot() {
    local name=$1 script=$2
    local -a drives=()
    shift 2
    pack_work "$script" "$@"
    while [[ "$1" != -- ]]; do shift; done
    shift
    while (($#)); do
        drives+=(-drive "file=$(disk "$1"),format=raw,if=virtio,cache=unsafe")
        shift
    done
    boot_log=$scenario_dir/$name.log
    run_machine "${drives[@]}" | tr -d '\r' >"$boot_log"
    judge_boot "$name"
}

# The script and what it needs, as a second archive behind the first: the kernel takes any number.
pack_work() {
    local root=$scenario_dir/overlay script=$1
    shift
    rm -rf "$root"
    mkdir -p "$root/lab"
    cp "$lab/guest/$script.sh" "$root/lab/script"
    : >"$root/lab/env"
    while [[ "$1" != -- ]]; do
        if [[ "$1" == *=* ]]; then
            printf "%s='%s'\n" "${1%%=*}" "${1#*=}" >>"$root/lab/env"
        else
            cp "$1" "$root/lab/"
        fi
        shift
    done
    { cat "$work/initrd"; archive "$root" | gzip -1; } >"$scenario_dir/initrd"
}

# Software emulation: it needs no rights, and works where KVM hangs.
#
# no_timer_check: on a busy host the emulated timer is late, and the kernel would take it for broken and panic.
# norandmaps: QEMU can use what it has translated of a program when it runs again; DRBD's tools take a fifth of the
# time then. cryptomgr.notests: a second less. log_buf_len: attach-table's many lines.
# strict=on: or the firmware sets up every disk to look for a system on it, and what QEMU still does for it may spoil the kernel's memory.
run_machine() {
    timeout --foreground "${LAB_TIMEOUT:-900}" "$(tool_path qemu-system-x86_64)" \
        -accel tcg -smp 1 -m 768 -display none -serial stdio -monitor none -nic none -no-reboot -boot strict=on \
        -kernel "$kernel/vmlinux" -initrd "$scenario_dir/initrd" \
        -append 'console=ttyS0 panic=-1 quiet no_timer_check norandmaps cryptomgr.notests log_buf_len=2M' "$@" </dev/null 2>&1 || true
}

# Only the guest's own word counts: a machine that stops for any other reason has failed.
judge_boot() {
    if ! grep -qx 'LAB: done' "$boot_log"; then
        die "$scenario: boot '$1' did not reach its end (it had ${LAB_TIMEOUT:-900} s)"
    fi
    ! grep -E '^K\|.*(BUG:|Oops|ASSERT|Call Trace)' "$boot_log" >&2 ||
        die "$scenario: the kernel was in trouble during boot '$1'"
}

# fact NAME: what the guest reported under this name; nothing where it did not.
fact() {
    sed -n "s/^FACT $1 //p" "$boot_log" | tail -n 1
}

# kernel_line REGEX: the first line of the kernel's log that matches, without its time stamp.
kernel_line() {
    sed -n 's/^K| \(\[[^]]*\] \)\?//p' "$boot_log" | grep -m 1 -E -- "$1" || true
}

# bits_on_disk MINOR: how many the bitmap had when the kernel attached it.
bits_on_disk() {
    kernel_line "drbd$1: .* marked out-of-sync by on disk bit-map" | sed 's/.*(\([0-9]* bits\)).*/\1/'
}
