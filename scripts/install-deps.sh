#!/usr/bin/env bash
# Installs the Debian packages that the project needs: the one list, used by
# reproduce.sh, test.sh and the Dockerfile.
#
#   scripts/install-deps.sh            what building and testing needs
#   scripts/install-deps.sh --build    only what building needs
#   scripts/install-deps.sh --apps     also the real programs of scripts/apps
#   scripts/install-deps.sh --kernels  also what scripts/kernels needs (--oldkernel is its old name)
#   scripts/install-deps.sh --list     print the packages instead of installing them
set -euo pipefail

build=(g++ cmake ninja-build ccache pkg-config libc6-dev
       libfuse3-dev fuse3 libspdlog-dev libfmt-dev libcli11-dev nlohmann-json3-dev
       libxxhash-dev libzstd-dev)
test=(libgtest-dev libgmock-dev libbenchmark-dev librapidcheck-dev
      clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev
      attr acl strace xfsprogs btrfs-progs e2fsprogs zstd python3 git musl-tools util-linux procps shellcheck
      debootstrap buildah zsh man-db lintian)
apps=(rtorrent apt tdb-tools gdbmtool kyotocabinet-utils systemd-journal-remote systemd
      lmdb-utils python3-lmdb rrdtool sqlite3 strace fuse3 util-linux procps python3)
kernels=(qemu-system-x86 musl-tools make gcc-12 kmod cpio patch reiserfsprogs jfsutils nilfs-tools e2fsprogs
           python3 xz-utils flex bison bc libelf-dev libssl-dev)

packages=("${build[@]}")
list=false
with_test=true
for arg in "$@"; do
    case "$arg" in
    --build) with_test=false ;;
    --apps) packages+=("${apps[@]}") ;;
    --kernels | --oldkernel) packages+=("${kernels[@]}") ;;
    --list) list=true ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) echo "install-deps.sh: unknown option '$arg'; see --help" >&2; exit 2 ;;
    esac
done
$with_test && packages+=("${test[@]}")

if $list; then
    printf '%s\n' "${packages[@]}"
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
        missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

sudo=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "install-deps.sh: not root and no sudo: install these packages first: ${missing[*]}" >&2
        exit 1
    }
    sudo=(sudo)
fi
echo "installing: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
