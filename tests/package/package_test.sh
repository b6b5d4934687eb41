#!/usr/bin/env bash
# Makes the Debian package, installs it into a fresh Debian made by debootstrap, and uses what it installed: the
# programs, the man pages, the completions, mount -t fuse.partialfs and lines in /etc/fstab. Its programs must be
# hardened, and lintian, this machine's and that of SUITE, must report nothing.
#
# usage: package_test.sh BUILD_DIR [SUITE]
#
# SUITE is bookworm (Debian 12, the default) or trixie (13), whatever the package was made on.
set -euo pipefail
build=$(realpath "$1")
suite=${2:-bookworm}
source=$(realpath "$(dirname "$0")/../..")

[ "$(id -u)" -eq 0 ] || { echo "skip: debootstrap and chroot need root"; exit 77; }
command -v debootstrap >/dev/null || { echo "skip: debootstrap is not installed"; exit 77; }

work=$(realpath "$(mktemp -d)")
root=$work/root
# The processes that run in the new root.
inside() { find /proc/[0-9]*/root -maxdepth 0 -lname "$root" 2>/dev/null | cut -d / -f 3; }
# shellcheck disable=SC2317  # the trap calls it
cleanup() {
    inside | xargs -r kill -KILL 2>/dev/null || true
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
for path in usr/bin/partialfs usr/bin/mmapstress usr/bin/vmmodel usr/sbin/mount.fuse.partialfs usr/sbin/umount.fuse.partialfs \
    usr/share/man/man{8/partialfs.8,8/mount.fuse.partialfs.8,8/umount.fuse.partialfs.8,1/mmapstress.1,1/vmmodel.1}.gz \
    usr/share/bash-completion/completions/partialfs usr/share/zsh/vendor-completions/_mmapstress \
    usr/share/partialfs/{reproduce,soak}.sh; do
    grep -qE " \./$path$" "$work/contents" || fail "$path is not in the package"
done

! grep -qE ' \./(s?bin|lib[0-9]*)/' "$work/contents" || fail "something is installed outside /usr"

# Position-independent, bound at start, and with checked calls: __memcpy_chk and similar.
dpkg-deb -x "$deb" "$work/tree"
for program in partialfs mmapstress vmmodel; do
    file=$work/tree/usr/bin/$program
    grep -q 'Position-Independent Executable' <(readelf -hW "$file") || fail "$program is not position-independent"
    grep -qE 'FLAGS_1.*\bNOW\b' <(readelf -dW "$file") || fail "$program binds symbols late"
    grep -q GNU_RELRO <(readelf -lW "$file") || fail "$program has no GNU_RELRO"
done
grep -q '__[a-z]*_chk@' <(readelf -sW --dyn-syms "$work/tree/usr/bin/mmapstress") || fail "the programs are not fortified"

if command -v lintian >/dev/null; then
    lintian --no-cfg --allow-root --fail-on error,warning "$deb" || fail "lintian"
fi

code=0
"$(dirname "$0")"/debian-root.sh "$root" "$suite" || code=$?
[ $code -eq 0 ] || exit $code
cp "$deb" "$root/tmp/"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C "$@"; }
in_root DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "/tmp/$(basename "$deb")" >"$work/install.log" 2>&1 || { cat "$work/install.log"; fail "the package does not install"; }

if [ "$suite" != bookworm ]; then
    in_root DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends lintian >"$work/install.log" 2>&1 ||
        { cat "$work/install.log"; fail "lintian cannot be installed"; }
    in_root lintian --no-cfg --allow-root --fail-on error,warning "/tmp/$(basename "$deb")" || fail "lintian of $suite"
fi

for program in partialfs mmapstress vmmodel; do
    in_root "$program" --version >/dev/null || fail "$program --version"
    in_root "$program" --help >/dev/null || fail "$program --help"
done
in_root bash -n /usr/share/bash-completion/completions/partialfs
in_root vmmodel table >"$work/table" || fail "vmmodel table"
grep -q 'linux-2.6.19' "$work/table" || fail "vmmodel table says nothing of linux-2.6.19"

# What man(1) would show, checked without man: the link leads to the page.
zcat "$root/usr/share/man/man8/mount.fuse.partialfs.8.gz" | grep -qx '\.so man8/partialfs\.8' || fail "mount.fuse.partialfs(8)"
zcat "$root/usr/share/man/man8/partialfs.8.gz" | cmp -s - "$source/fusefs/partialfs.8" || fail "partialfs(8)"

# Unmounts /mnt. The helper of umount(8) waits for the daemon's last commit.
unmount() { in_root umount /mnt || fail "umount"; }

if [ -e /dev/fuse ]; then
    mkdir -p "$root/data" "$root/mnt" "$root/with blank"
    in_root mount -t fuse.partialfs /data /mnt -o contract=linux-2.6.20,block_size=4096 ||
        fail "mount -t fuse.partialfs"
    echo hello >"$root/mnt/file"
    grep -q '"linux-2.6.20"' "$root/mnt/.partialfs/status" || fail "the contract option was not used"
    dd if=/dev/urandom of="$root/mnt/large" bs=1M count=60 status=none
    wanted=$(md5sum <"$root/mnt/large")
    unmount
    [ "$(cat "$root/data/file")" = hello ] || fail "the data is not in the source directory"
    [ "$(md5sum <"$root/data/large")" = "$wanted" ] || fail "umount returned before the last commit"

    in_root mount -t fuse.partialfs /data /mnt -o contract=linux-2.6.20 || fail "mount for a remount"
    in_root mount -o remount,ro /mnt || fail "mount -o remount,ro"
    ! touch "$root/mnt/file" 2>/dev/null || fail "remounted read-only, and it can be written to"
    in_root mount -o remount,rw,contract=linux-2.6.19 /mnt || fail "mount -o remount,rw"
    touch "$root/mnt/file" || fail "remounted read-write, and it cannot be written to"
    grep -q '"linux-2.6.19"' "$root/mnt/.partialfs/status" || fail "the contract of a remount was not used"
    unmount

    # As at boot: mount gets only the line in /etc/fstab.
    for contract in linux-2.6.19 linux-2.6.20; do
        echo "/with\\040blank /mnt fuse.partialfs defaults,nofail,noatime,contract=$contract,commit_interval=50ms 0 0" \
            >"$root/etc/fstab"
        in_root mount -a || fail "mount -a with $contract in /etc/fstab"
        grep -q "\"$contract\"" "$root/mnt/.partialfs/status" || fail "$contract in /etc/fstab was not used"
        grep -q ' /mnt fuse.partialfs [^ ]*noatime' <(in_root cat /proc/self/mounts) || fail "noatime in /etc/fstab was not used"
        code=0
        in_root mmapstress run /mnt --workload recipe --size 256K --files 1 >"$work/said" 2>&1 || code=$?
        if [ $contract = linux-2.6.19 ]; then wanted=1; else wanted=0; fi
        [ $code -eq $wanted ] || { cat "$work/said"; fail "mmapstress on the $contract mount: exit code $code, not $wanted"; }
        unmount
    done

    in_root /usr/share/partialfs/reproduce.sh >"$work/said" 2>&1 || { cat "$work/said"; fail "reproduce.sh"; }
    in_root DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-minimal >/dev/null 2>&1
    in_root /usr/share/partialfs/soak.sh --duration 1s --workload mix >"$work/said" 2>&1 ||
        { cat "$work/said"; fail "soak.sh"; }

    code=0
    in_root mount -t fuse.partialfs /data /mnt -o contract=linux-2.6.21 >"$work/said" 2>&1 || code=$?
    [ $code -eq 32 ] || fail "a contract that is none: mount's exit code is $code, not 32"
    grep -q "linux-2.6.21" "$work/said" || { cat "$work/said"; fail "a contract that is none: mount does not name it"; }
fi

in_root DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq partialfs >"$work/purge.log" 2>&1 ||
    { cat "$work/purge.log"; fail "the package cannot be purged"; }
[ -z "$(find "$root/usr" "$root/etc" -name '*partialfs*' -o -name '*mmapstress*' -o -name '*vmmodel*')" ] ||
    fail "files are left after the purge"
echo "the package installs, runs and mounts"
