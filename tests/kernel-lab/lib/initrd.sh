# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# Builds the initial RAM disk: busybox, DRBD's tools with their libraries, the modules.

# Where this machine has a tool; sbin is not in every user's PATH.
tool_path() {
    PATH="$PATH:/usr/sbin:/sbin:/lib/drbd" command -v "$1"
}

# All of what is called, before anything is started.
need_tools() {
    local tool
    for tool in apt-cache apt-get dpkg-deb xz jq cpio busybox "${DRBDMETA:-drbdmeta}" drbdsetup-84 qemu-system-x86_64; do
        tool_path "$tool" >/dev/null || die "$tool is not installed (docs/kernel-lab.md says which package has it)"
    done
}

# put_program ROOT NAME FILE: the program in ROOT/bin, and what it is linked with where its loader looks.
put_program() {
    local root=$1 name=$2 program=$3 library
    install -m 755 "$program" "$root/bin/$name"
    while read -r library; do
        install -D -m 755 "$library" "$root$library"
    done < <(ldd "$program" | grep -o '/[^ ]*')
}

# build_initrd KERNEL_DIR OUTPUT
build_initrd() {
    local kernel=$1 output=$2 root busybox module
    root=$(mktemp -d "$work/initrd.XXXXXX")
    mkdir -p "$root"/{bin,dev,proc,sys,tmp,lab,modules,run/lock,var/lib/drbd,var/lock}
    busybox=$(tool_path busybox)
    install -m 755 "$busybox" "$root/bin/busybox"
    "$busybox" --list | while read -r applet; do
        [[ "$applet" == busybox ]] || ln -s busybox "$root/bin/$applet"
    done
    put_program "$root" drbdmeta "$(tool_path "${DRBDMETA:-drbdmeta}")"
    put_program "$root" drbdsetup-84 "$(tool_path drbdsetup-84)"
    # Without what a debugger would want, which is most of it.
    objcopy --strip-debug "$mdtool" "$work/mdtool" 2>/dev/null || cp "$mdtool" "$work/mdtool"
    put_program "$root" mdtool "$work/mdtool"
    for module in "${MODULES[@]}"; do
        find "$kernel/modules" -name "$module.ko*" -exec cp -t "$root/modules" {} + -quit
        ls "$root/modules/$module.ko"* >/dev/null 2>&1 || die "the kernel has no module $module"
        printf '%s\n' "$module" >>"$root/modules/order"
    done
    install -m 755 "$lab/guest/init" "$root/init"
    install -m 644 "$lab/guest/lib.sh" "$root/lab/lib.sh"
    archive "$root" | gzip -1 >"$output"
    rm -rf "$root"
}

# The directory's contents as the kernel takes them.
archive() {
    (cd "$1" && find . | cpio --quiet -o -H newc -R 0:0)
}
