#!/usr/bin/env bash
# Installs the Debian packages that this project needs. reproduce.sh, test.sh, continuous integration and the Dockerfile
# use this list.
#
# usage: scripts/install-deps.sh [options]
#
#   (no option)       what building and testing needs
#   --build           only what building needs
#   --label REGEX     only what building needs, and the tests whose label matches (see scripts/test.sh); may be given
#                     several times
#   --apps            also the real programs of scripts/apps
#   --kernels         also what scripts/kernels needs
#   --slurm           also Slurm, for the test of campaigns
#   --list            print the packages instead of installing them
#
# A package that this Debian does not have is named and left out; what needs it is skipped or fails. The script waits up to
# 10 min for another process that uses apt. Exit status: 0 all that exist are installed, 1 not, 2 wrong usage.
#
# Example: scripts/install-deps.sh --label unit --list
set -euo pipefail

build=(g++ cmake ninja-build ccache pkg-config libc6-dev python3
       libfuse3-dev fuse3 libspdlog-dev libfmt-dev libcli11-dev nlohmann-json3-dev
       libxxhash-dev libzstd-dev libmount-dev)
# What every test needs to be built, or its script to run.
test=(libgtest-dev libgmock-dev libbenchmark-dev librapidcheck-dev util-linux procps git)
# What the tests of a label need in addition.
declare -A of_label=(
    [unit]='e2fsprogs zstd musl-tools patch'
    [property]=''
    [fuzz]=''
    [mounted]='attr acl strace e2fsprogs btrfs-progs zstd python3-pytest'
    [crash]=''
    [loop]='xfsprogs btrfs-progs e2fsprogs'
    [lint]='clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev shellcheck'
    [package]='man-db mandoc zsh lintian debootstrap'
    [container]='debootstrap buildah'
    [build]='clang-19'
    [slurm]='slurm-wlm munge'
    [apps]='rtorrent apt tdb-tools gdbmtool kyotocabinet-utils systemd-journal-remote systemd
            lmdb-utils python3-lmdb rrdtool sqlite3 postgresql strace fuse3'
    [qemu]='qemu-system-x86 musl-tools make gcc-12 kmod cpio patch debootstrap reiserfsprogs jfsutils nilfs-tools
            e2fsprogs xfsprogs btrfs-progs f2fs-tools dosfstools exfatprogs ntfs-3g bindfs udftools gfs2-utils
            ocfs2-tools diod xz-utils zstd flex bison bc libelf-dev libssl-dev'
)
own_programs=(apps qemu slurm) # labels with many packages; without --label they must be requested by name

packages=("${build[@]}")
list=false
with_test=true
labels=()
extra=()
while [ $# -gt 0 ]; do
    case "$1" in
    --build) with_test=false ;;
    --label) labels+=("${2:?install-deps.sh: --label needs a label}"); shift ;;
    --label=*) labels+=("${1#*=}") ;;
    --apps) extra+=(apps) ;;
    --kernels | --oldkernel) # its old name
        extra+=(qemu) ;;
    --slurm) extra+=(slurm) ;;
    --list) list=true ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) echo "install-deps.sh: unknown option '$1'; see --help" >&2; exit 2 ;;
    esac
    shift
done

chosen() { # LABEL: whether its packages are wanted
    local pattern
    [[ " ${extra[*]} " != *" $1 "* ]] || return 0
    $with_test || return 1
    [ ${#labels[@]} -gt 0 ] || { [[ " ${own_programs[*]} " != *" $1 "* ]]; return; }
    for pattern in "${labels[@]}"; do
        [[ ! $1 =~ $pattern ]] || return 0
    done
    return 1
}
if $with_test; then packages+=("${test[@]}"); fi
for label in "${!of_label[@]}"; do
    if chosen "$label"; then
        read -ra more <<<"$(tr '\n' ' ' <<<"${of_label[$label]}")"
        packages+=("${more[@]}")
    fi
done
mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)

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

export DEBIAN_FRONTEND=noninteractive
# With this option apt-get install waits for the lock. `apt-get update` fails at once, so update() repeats it.
patient=(-o DPkg::Lock::Timeout=600)
update() {
    local said i
    for ((i = 0; i < 600; ++i)); do
        said=$("${sudo[@]}" apt-get update -qq 2>&1) && return
        grep -q 'Could not get lock' <<<"$said" || break
        [ $i -gt 0 ] || echo "install-deps.sh: another process uses apt; waiting for it" >&2
        sleep 1
    done
    echo "$said" >&2
    return 1
}
update

available=()
absent=()
for package in "${missing[@]}"; do
    if apt-cache show --no-all-versions "$package" >/dev/null 2>&1; then available+=("$package"); else absent+=("$package"); fi
done
[ ${#absent[@]} -eq 0 ] || echo "install-deps.sh: this Debian has no package ${absent[*]}: going on without" >&2
[ ${#available[@]} -gt 0 ] || exit 0
echo "installing: ${available[*]}" >&2
"${sudo[@]}" apt-get install "${patient[@]}" -y -qq --no-install-recommends "${available[@]}" >/dev/null
