#!/usr/bin/env bash
# The README's first promise: on a fresh Debian with nothing but git and apt, scripts/reproduce.sh and scripts/test.sh
# install all they need. In a root made by debootstrap: clones the project, runs reproduce.sh (first without /dev/fuse,
# then with it) and the unit, property and mounted tests. Prints how long reproduce.sh took with its packages installed
# and nothing built.
#
# usage: fresh_test.sh SOURCE_DIR SUITE
#
# SUITE is bookworm (Debian 12), trixie (13) or sid.
set -euo pipefail
source=$(realpath "$1")
suite=$2

[ "$(id -u)" -eq 0 ] || { echo "skip: debootstrap and chroot need root"; exit 77; }
command -v debootstrap >/dev/null || { echo "skip: debootstrap is not installed"; exit 77; }

work=$(realpath "$(mktemp -d)")
root=$work/root
child=
# shellcheck disable=SC2317  # the trap calls it
cleanup() {
    # unshare(1) ignores SIGTERM; SIGKILL ends it and all processes of its namespaces.
    [ -z "$child" ] || kill -KILL "$child" 2>/dev/null || true
    wait
    if mountpoint -q "$root/dev"; then umount -R -l "$root/dev"; fi
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
fail() { echo "FAILED: $*" >&2; exit 1; }

# In the background, so that an interrupt takes effect at once. Not in a chroot, where nobody may mount or make a user
# namespace, but with a root, mounts and processes of its own.
in_root() {
    # shellcheck disable=SC2016  # expanded by the inner shell
    unshare --mount --propagation private --pid --fork --kill-child sh -c 'mount --rbind "$0" "$0" && cd "$0" &&
        mount -t proc proc proc && pivot_root . . && umount -l . && exec "$@"' \
        "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C "$@" >"$work/said" 2>&1 &
    child=$!
    wait "$child" || { tail -n 40 "$work/said"; fail "$*"; }
    child=
}

code=0
"$source/tests/package/debian-root.sh" "$root" "$suite" || code=$?
[ $code -eq 0 ] || exit $code
mount -t tmpfs none "$root/dev"
for device in null zero full random urandom tty; do cp -a "/dev/$device" "$root/dev/"; done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t devpts none "$root/dev/pts" -o newinstance,ptmxmode=0666
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
in_root apt-get install -y -qq --no-install-recommends git ca-certificates
# The tracked files in their present state: a clone of the last commit would lack uncommitted changes.
git -C "$source" ls-files -z | (cd "$source" && tar --null -T - -cf "$work/source.tar")
mkdir "$root/project"
tar -C "$root/project" -xf "$work/source.tar"
in_root git -C /project init -q
in_root git -C /project add .

in_root /project/scripts/install-deps.sh --build
in_root /project/scripts/reproduce.sh
grep -q 'No mount is possible here: there is no /dev/fuse' "$work/said" || fail "it says nothing of the missing /dev/fuse"
grep -qE 'linux-2\.6\.19 +yes' "$work/said" || fail "reproduce.sh by the model"
echo "reproduce.sh, by the model: done"
if [ -e /dev/fuse ]; then
    cp -a /dev/fuse "$root/dev/"
    rm -rf "$root/project/build"
    begun=$SECONDS
    in_root env CCACHE_DISABLE=1 /project/scripts/reproduce.sh
    echo "reproduce.sh, with its packages and nothing built: $((SECONDS - begun)) s"
    grep -qE 'linux-2\.6\.19 +CORRUPT' "$work/said" || fail "reproduce.sh on a mount"
    echo "reproduce.sh, on a mount: done"
fi
for selection in '--label ^(unit|property|mounted)$' '--no-install --name ^(docs|completions|reproduce)'; do
    # shellcheck disable=SC2086  # an option and its value
    in_root /project/scripts/test.sh $selection
    grep -E 'tests passed|^Skipped|^  ' "$work/said"
done
echo "a fresh Debian ($suite) builds, reproduces and tests"
