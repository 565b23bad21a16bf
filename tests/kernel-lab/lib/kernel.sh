# shellcheck shell=bash disable=SC2034,SC2154  # sourced by run, whose variables these are
# Fetches Debian's kernel and DRBD's modules into a cache, without installing anything.

# In the order in which they must be loaded.
readonly -a MODULES=(
    virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk
    crc32c_generic libcrc32c lru_cache drbd
)

# The package that linux-image-amd64 stands for today; nothing where apt does not know it.
kernel_package() {
    apt-cache depends linux-image-amd64 2>/dev/null |
        awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }'
}

# The newest kernel in the cache that was fetched to its end.
cached_kernel() {
    find "$1" -mindepth 2 -maxdepth 2 -name complete -printf '%T@ %h\n' 2>/dev/null |
        sort -n | awk 'END { print $2 }'
}

# fetch_kernel CACHE: prints the directory that holds vmlinux and modules/.
fetch_kernel() {
    local cache=$1 package
    package=$(kernel_package)
    if [[ -z "$package" ]]; then
        cached_kernel "$cache" | grep . || die "apt-cache knows no linux-image-amd64: run apt-get update"
        return
    fi
    [[ -e "$cache/$package/complete" ]] || download_kernel "$cache" "$package"
    printf '%s\n' "$cache/$package"
}

# Into a directory of its own, which gets its name when it is complete; or another run was faster.
download_kernel() {
    local cache=$1 package=$2 new said
    new=$(mkdir -p "$cache" && mktemp -d "$cache/new.XXXXXX") || die "cannot make a directory in $cache"
    printf 'LAB: fetching %s\n' "$package" >&2
    if ! said=$(cd "$new" && apt-get download "$package" 2>&1); then
        rm -rf "$new"
        die "apt-get download $package: ${said##*$'\n'}"
    fi
    unpack_kernel "$new"
    rm -f "${new:?}"/*.deb
    touch "$new/complete"
    mv -T "$new" "$cache/$package" 2>/dev/null || rm -rf "$new"
}

# Takes the kernel and the few modules out of the package, which unpacked whole is 400 MB.
unpack_kernel() {
    local dir=$1 module
    local -a wanted=('./boot/vmlinuz-*')
    for module in "${MODULES[@]}"; do
        wanted+=("*/$module.ko*")
    done
    mkdir "$dir/root" "$dir/modules"
    dpkg-deb --fsys-tarfile "$dir"/*.deb | tar -x -C "$dir/root" --wildcards "${wanted[@]}" ||
        die "the kernel package lacks a file that the laboratory needs"
    mv "$dir"/root/boot/vmlinuz-* "$dir/vmlinuz"
    decompress_kernel "$dir/vmlinuz" "$dir/vmlinux" || cp "$dir/vmlinuz" "$dir/vmlinux"
    rm "$dir/vmlinuz"
    find "$dir/root" -name '*.ko*' -exec mv -t "$dir/modules" {} +
    rm -rf "$dir/root"
}

# decompress_kernel FILE OUTPUT: emulated, it would take the machine longer to do this than all the rest.
#
# Where the payload is, its own header says (Linux, Documentation/arch/x86/boot.rst: setup_sects,
# payload_offset, payload_length); its last four bytes are its size.
decompress_kernel() {
    local sectors offset length
    read -r sectors < <(od -An -tu1 -j $((0x1f1)) -N 1 "$1")
    read -r offset length < <(od -An -tu4 -j $((0x248)) -N 8 "$1")
    dd if="$1" bs=1M iflag=skip_bytes,count_bytes status=none \
        skip=$(((sectors + 1) * 512 + offset)) count=$((length - 4)) |
        xz -dc >"$2" 2>/dev/null
}
