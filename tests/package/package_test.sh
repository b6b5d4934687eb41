#!/usr/bin/env bash
# Makes the Debian package, installs it into a fresh Debian 12 made by debootstrap, and uses what it
# installed: the programs, the man pages, the completions, mount -t fuse.partialfs.
#
# usage: package_test.sh BUILD_DIR
set -euo pipefail
build=$(realpath "$1")

[ "$(id -u)" -eq 0 ] || { echo "skip: debootstrap and chroot need root"; exit 77; }
command -v debootstrap >/dev/null || { echo "skip: debootstrap is not installed"; exit 77; }

work=$(mktemp -d)
root=$work/root
cleanup() {
    for below in "$root/mnt" "$root/dev" "$root/proc"; do
        if mountpoint -q "$below"; then umount -l "$below"; fi
    done
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fail() { echo "FAILED: $*" >&2; exit 1; }

(cd "$build" && cpack -G DEB -B "$work/deb" >"$work/cpack.log" 2>&1) || { cat "$work/cpack.log"; exit 1; }
deb=$(echo "$work"/deb/partialfs_*.deb)
dpkg-deb -c "$deb" >"$work/contents"
for path in usr/bin/partialfs usr/bin/mmapstress usr/bin/vmmodel sbin/mount.fuse.partialfs \
    usr/share/man/man8/partialfs.8 usr/share/man/man1/mmapstress.1 usr/share/man/man1/vmmodel.1 \
    usr/share/bash-completion/completions/partialfs usr/share/zsh/vendor-completions/_mmapstress; do
    grep -qE " \./$path$" "$work/contents" || fail "$path is not in the package"
done

"$(dirname "$0")"/debian-root.sh "$root"
cp "$deb" "$root/tmp/"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C "$@"; }
in_root DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "/tmp/$(basename "$deb")" >"$work/install.log" 2>&1 || { cat "$work/install.log"; fail "the package does not install"; }

for program in partialfs mmapstress vmmodel; do
    in_root "$program" --version >/dev/null || fail "$program --version"
    in_root "$program" --help >/dev/null || fail "$program --help"
done
in_root bash -n /usr/share/bash-completion/completions/partialfs
in_root vmmodel table >"$work/table" || fail "vmmodel table"
grep -q 'linux-2.6.19' "$work/table" || fail "vmmodel table says nothing of linux-2.6.19"

if [ -e /dev/fuse ]; then
    mkdir -p "$root/data" "$root/mnt"
    in_root mount -t fuse.partialfs /data /mnt -o contract=linux-2.6.20,block_size=4096 ||
        fail "mount -t fuse.partialfs"
    echo hello >"$root/mnt/file"
    grep -q '"linux-2.6.20"' "$root/mnt/.partialfs/status" || fail "the contract option was not used"
    echo 1 >"$root/mnt/.partialfs/commit"
    in_root umount /mnt || fail "umount"
    [ "$(cat "$root/data/file")" = hello ] || fail "the data is not in the source directory"
fi
echo "the package installs, runs and mounts"
