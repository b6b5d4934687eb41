# shellcheck shell=bash disable=SC2034,SC2154 # variables go between the parts that run.sh sources
# Way 3: Linux 6.1 built from Debian's linux-source-6.1 with a minimal configuration, once as it is
# and once with source/undo-fix.patch.
# Sets: source_images, a directory with present/bzImage and undone/bzImage.

source_version=6.1

# Unpacks what a build of this configuration reads, about a third of the tree: of other
# architectures and of large drivers only the Kconfig files.
source_unpack() {
    local package=$1 directory=$2 part
    local without=(--exclude='*/Documentation/*.rst' --exclude='*/Documentation/devicetree/*'
        --exclude='*/tools/testing/*' --exclude='*/tools/perf/*' --exclude='*/arch/*/boot/dts/*')
    for part in drivers/gpu drivers/net drivers/media drivers/staging drivers/infiniband sound \
        arch/arm arch/arm64 arch/powerpc arch/mips; do
        without+=(--exclude="*/$part/*.[chS]")
    done
    dpkg-deb --fsys-tarfile "$package" | tar -xO "./usr/src/linux-source-$source_version.tar.xz" |
        xz -dc -T0 | tar -x -C "$directory" --strip-components=1 "${without[@]}"
}

source_fetch() {
    local part=$cache/source.part
    [ -e "$cache/source/ready" ] && return
    need apt-get apt
    need dpkg-deb dpkg
    need xz xz-utils
    need_room "$cache" 2000
    note "fetching linux-source-$source_version (about 140 MB)"
    rm -rf "$part"
    mkdir -p "$part/tree" "$part/package"
    debian_download "$part/package" "linux-source-$source_version"
    source_unpack "$part"/package/*.deb "$part/tree" ||
        die "$exit_unknown" "cannot unpack linux-source-$source_version into $part: is the disk full?"
    rm -r "$part/package"
    make -s -C "$part/tree" kernelversion >"$part/ready" 2>"$temporary/source.log" ||
        die "$exit_unknown" "this source tree does not answer: $(tail -n 1 "$temporary/source.log")"
    rm -rf "$cache/source"
    mv "$part" "$cache/source"
}

source_make() {
    make -C "$cache/source/tree" "$@" >"$temporary/source.log" 2>&1 ||
        die "$exit_unknown" "the kernel does not build: $(grep -m 1 -E 'error|Error|\*\*\*' "$temporary/source.log")"
}

source_configure() {
    local tree=$cache/source/tree option all=$temporary/all.config
    cat "$tree/kernel/configs/tiny-base.config" "$tree/kernel/configs/tiny.config" \
        "$tree/arch/x86/configs/tiny.config" "$here/source/guest.config" >"$all"
    source_make KCONFIG_ALLCONFIG="$all" allnoconfig
    while read -r option; do
        grep -qxF "$option" "$tree/.config" ||
            die "$exit_unknown" "this kernel source cannot have $option, which the guest needs"
    done < <(grep '^CONFIG_' "$here/source/guest.config")
}

keep_image() {
    cp "$cache/source/tree/arch/x86/boot/bzImage" "$source_images/$1/bzImage.part"
    mv "$source_images/$1/bzImage.part" "$source_images/$1/bzImage"
}

# The patched file is put back before and after, so that an interrupted build does no harm.
source_build() {
    local tree=$cache/source/tree file=mm/page-writeback.c stamp
    stamp=$(cat "$cache/source/ready" "$here"/source/* | sha256sum | cut -c 1-16)
    source_images=$cache/source/images-$stamp
    [ -e "$source_images/undone/bzImage" ] && return
    for command in flex:flex bison:bison bc:bc make:make gcc:gcc; do
        need "${command%:*}" "${command#*:}"
    done
    mkdir -p "$source_images/present" "$source_images/undone"
    [ -e "$tree/$file.present" ] || cp "$tree/$file" "$tree/$file.present"
    cmp -s "$tree/$file.present" "$tree/$file" || cp "$tree/$file.present" "$tree/$file"
    note "building Linux $(cat "$cache/source/ready") with the fix (a few minutes)"
    source_configure
    source_make -j"$(nproc)" bzImage
    keep_image present
    note "building it again without the fix"
    patch -s -p1 -d "$tree" <"$here/source/undo-fix.patch" >"$temporary/patch.log" 2>&1 ||
        die "$exit_unknown" "undo-fix.patch does not fit this source: $(head -n 1 "$temporary/patch.log")"
    source_make -j"$(nproc)" bzImage
    keep_image undone
    cp "$tree/$file.present" "$tree/$file"
}

use_source_kernels() {
    with_lock source source_fetch
    with_lock source source_build
    kernel_release=$(cat "$cache/source/ready")
    kernel_modules=''
}
