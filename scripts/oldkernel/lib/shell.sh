# shellcheck shell=bash disable=SC2034,SC2154 # variables go between the parts that run.sh sources
# --shell: a shell in the guest. mksh, in Debian's build with musl, and the small tools of klibc:
# both run on a 2.6.19, where busybox-static, being glibc, crashes at start.

fetch_shell() {
    local part=$cache/shell.part package
    [ -e "$cache/shell/bin/sh" ] && return
    need apt-get apt
    need dpkg-deb dpkg
    note "fetching a shell for the guest"
    rm -rf "$part"
    mkdir -p "$part/packages" "$part/unpacked" "$part/bin" "$part/lib"
    debian_download "$part/packages" mksh klibc-utils libklibc
    for package in "$part"/packages/*.deb; do
        dpkg-deb -x "$package" "$part/unpacked" ||
            die "$exit_unknown" "cannot unpack $package: is the disk full?"
    done
    cp "$part"/unpacked/usr/lib/klibc/bin/* "$part/bin/"
    cp "$part"/unpacked/lib/klibc-*.so "$part/lib/"
    cp "$part/unpacked/usr/lib/x86_64-linux-musl/bin/mksh" "$part/bin/sh"
    rm -r "$part/packages" "$part/unpacked"
    rm -rf "$cache/shell"
    mv "$part" "$cache/shell"
}

run_shell() {
    local work=$temporary/shell filesystem=${fs_list%%,*} block=${block_list%%,*}
    filesystem=${filesystem:-$([ "$way" = kernel ] && echo ext3 || echo reiserfs)}
    [ -t 0 ] || die "$exit_usage" "--shell needs a terminal"
    mkdir -p "$work/root"
    make_disk "$filesystem" "$block" "$work/disk"
    guest_root "$work/root" "$filesystem" "$(mkclean_for "${fix:-undone}")"
    add_runs "$work/root" >/dev/null
    with_lock shell fetch_shell
    cp -r "$cache/shell/bin" "$cache/shell/lib" "$work/root/"
    setting "$work/root" shell /bin/sh
    setting "$work/root" fs "$filesystem"
    setting "$work/root" options "$(filesystem_options "$filesystem")"
    make_initramfs "$work/root" "$work/initramfs"
    boot_shell "$(image_for "${fix:-undone}")" "$work/initramfs" "$work/disk"
}
