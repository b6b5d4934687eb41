# shellcheck shell=bash disable=SC2034,SC2154 # variables go between the parts that run.sh sources
# Way 2: Debian's own kernel 6.1, fetched and unpacked into the cache, and the modules built
# against its headers. Nothing is installed on the host.
# Sets: kernel_image, kernel_release, kernel_modules (a directory with lib/modules).

debian_flavour=amd64

# The name of the newest linux-image-6.1.0-N-amd64-unsigned that apt knows; nothing if none.
debian_image_package() {
    apt-cache pkgnames linux-image-6.1.0- 2>/dev/null |
        sed -nE "/^linux-image-6\.1\.0-[0-9]+-$debian_flavour-unsigned\$/p" | sort -V | tail -n 1
}

# debian_download DIRECTORY PACKAGE...
debian_download() {
    local directory=$1
    shift
    (cd "$directory" && apt-get download -q -o APT::Sandbox::User=root "$@") \
        >"$temporary/apt.log" 2>&1 ||
        die "$exit_unknown" "cannot fetch $* with apt-get download: run apt-get update as root first ($(tail -n 1 "$temporary/apt.log"))"
}

# Unpacks the kernel image package: the kernel and the modules a guest can use.
debian_unpack_image() {
    dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --wildcards \
        './boot/vmlinuz-*' './boot/config-*' './lib/modules/*/modules.*' \
        './lib/modules/*/kernel/fs/*' './lib/modules/*/kernel/lib/*' \
        './lib/modules/*/kernel/crypto/*' './lib/modules/*/kernel/arch/x86/crypto/*' \
        './lib/modules/*/kernel/drivers/virtio/*' './lib/modules/*/kernel/drivers/block/*' \
        './lib/modules/*/kernel/drivers/ata/*' './lib/modules/*/kernel/drivers/scsi/*'
}

debian_fetch() {
    local image release part package needed
    [ -e "$cache/debian/ready" ] && return
    need apt-get apt
    need dpkg-deb dpkg
    need depmod kmod
    need_room "$cache" 900
    image=$(debian_image_package)
    [ -n "$image" ] ||
        die "$exit_unknown" "apt knows no linux-image-6.1.0-*-$debian_flavour-unsigned: this needs Debian 12's package lists; run apt-get update as root"
    release=${image#linux-image-}
    release=${release%-unsigned}
    note "fetching $image and its headers (about 85 MB)"
    part=$cache/debian.part
    rm -rf "$part"
    mkdir -p "$part/packages"
    needed=("linux-headers-$release" "linux-headers-${release%"$debian_flavour"}common"
        linux-kbuild-6.1 linux-compiler-gcc-12-x86)
    debian_download "$part/packages" "$image" "${needed[@]}"
    debian_unpack_image "$part"/packages/"$image"_*.deb "$part" ||
        die "$exit_unknown" "cannot unpack $image into $part: is the disk full?"
    for package in "${needed[@]}"; do
        dpkg-deb -x "$part"/packages/"$package"_*.deb "$part" ||
            die "$exit_unknown" "cannot unpack $package into $part: is the disk full?"
    done
    rm -r "$part/packages"
    depmod -b "$part" "$release" 2>"$temporary/depmod.log" ||
        die "$exit_unknown" "depmod failed for $release: $(tail -n 1 "$temporary/depmod.log")"
    echo "$release" >"$part/ready"
    rm -rf "$cache/debian"
    mv "$part" "$cache/debian"
}

# Builds the modules of module/ unless these sources were built before.
debian_build_modules() {
    local headers=$cache/debian/usr/src/linux-headers-$kernel_release stamp part
    stamp=$(cat "$here"/module/* | sha256sum | cut -c 1-16)
    mkclean_modules=$cache/mkclean-$kernel_release-$stamp
    [ -e "$mkclean_modules/mkclean_lost.ko" ] && return
    need make make
    need gcc-12 gcc-12
    # The headers name their other half by an absolute path on the host; it is in the cache.
    echo "include $cache/debian/usr/src/linux-headers-${kernel_release%"$debian_flavour"}common/Makefile" \
        >"$headers/Makefile"
    note "building the modules against the headers of $kernel_release"
    part=$mkclean_modules.part
    rm -rf "$part"
    cp -r "$here/module" "$part"
    make -C "$headers" M="$part" modules >"$temporary/module.log" 2>&1 ||
        die "$exit_unknown" "the module does not build against the headers of $kernel_release: $(grep -m 1 -E 'error|Error|\*\*\*' "$temporary/module.log")"
    mv "$part" "$mkclean_modules"
}

use_debian_kernel() {
    with_lock debian debian_fetch
    kernel_release=$(cat "$cache/debian/ready")
    kernel_image=$cache/debian/boot/vmlinuz-$kernel_release
    kernel_modules=$cache/debian
    with_lock debian debian_build_modules
}
