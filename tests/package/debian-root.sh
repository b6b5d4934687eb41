#!/usr/bin/env bash
# Makes a minimal Debian root in a directory, from a tarball kept from the first time.
#
# usage: debian-root.sh DIRECTORY [SUITE]
#
# SUITE is bookworm (Debian 12, the default), trixie (13) or sid. Exit code 77: the mirror does not have it.
# The tarball lies in ${XDG_CACHE_HOME:-~/.cache}/partialfs and is made again after a week, so that
# its package lists are not stale. The mirror is the one that this machine uses itself.
set -euo pipefail
root=$1
suite=${2:-bookworm}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/partialfs
tarball=$cache/debian-$suite-minbase.tar

mirror() {
    local found
    found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ')
    echo "${found:-http://deb.debian.org/debian}"
}

mkdir -p "$cache" "$root"
exec 9>"$cache/lock-$suite"
flock 9
if [ -z "$(find "$tarball" -mtime -7 2>/dev/null)" ]; then
    fresh=$(mktemp -d -p "$cache")
    trap 'rm -rf --one-file-system "$fresh"' EXIT
    /usr/lib/apt/apt-helper download-file "$(mirror)/dists/$suite/Release" "$fresh/Release" >/dev/null 2>&1 ||
        { echo "skip: the mirror $(mirror) is missing (suite $suite)"; exit 77; }
    debootstrap --variant=minbase "$suite" "$fresh/root" "$(mirror)" >"$fresh/log" 2>&1 ||
        { tail -n 20 "$fresh/log" >&2; echo "debian-root.sh: debootstrap failed" >&2; exit 1; }
    # apt inside reaches its mirror as apt outside does: through the same proxy, if there is one.
    { grep -lriE '^ *Acquire.*Proxy' /etc/apt/apt.conf.d || true; } | xargs -r cp -Lt "$fresh/root/etc/apt/apt.conf.d/"
    tar -C "$fresh/root" -cf "$fresh/tar" .
    mv "$fresh/tar" "$tarball"
fi
tar -C "$root" -xf "$tarball"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
# A mirror may be out of date, and sid's lists are valid for a week only.
echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/99standing-mirror"
chroot "$root" apt-get update -qq
