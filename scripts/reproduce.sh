#!/usr/bin/env bash
# Shows the corruption, its cause and the fix. Installs the packages that are missing, builds, mounts partialfs with
# the contract of Linux 2.6.19, runs a schedule that loses data there, explains one lost store, and runs the same
# schedule under the contract of 2.6.20. On two idle cores the build takes a minute and a half, the rest seconds.
#
# usage: scripts/reproduce.sh [options]
#
#   --model           show it with vmmodel, which needs neither FUSE nor privileges (default: only if no mount is possible)
#   --keep            leave the mount with the contract linux-2.6.19 for a look around
#   --installed       use the programs on PATH instead of building them
#   -V, --version     print the version
#
# The loss as an HTML page is kept: build/loss.html, or with --installed a new temporary file. Mounts and temporary
# files are removed at the end, after ^C, too (unless --keep is given). Exit status: 0 data was lost under the first
# contract, as much as the ledger says, and none under the second; 1 this was not so, or is not known; 2 wrong
# usage.
#
# Example: scripts/reproduce.sh --keep
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=scripts/support/mount.sh
. "$here/support/mount.sh"
# shellcheck source=scripts/support/version.sh
. "$here/support/version.sh"

keep=false
build=true
[ -e "$here/../CMakeLists.txt" ] || build=false # installed
model=false
page=''
for argument in "$@"; do
    case "$argument" in
    --keep) keep=true ;;
    --installed) build=false ;;
    --model) model=true ;;
    -V | --version) version_of reproduce.sh "$here/.."; exit 0 ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) echo "reproduce.sh: unknown option '$argument'; see --help" >&2; exit 2 ;;
    esac
done

# The reason why no mount is possible here, or nothing.
obstacle() {
    if [ ! -e /dev/fuse ]; then
        echo "there is no /dev/fuse here"
    elif ! { : <>/dev/fuse; } 2>/dev/null; then
        echo "/dev/fuse cannot be opened: no permission"
    fi
}
reason=''
$model || reason=$(obstacle)

# Copies ninja's output, except lines `[done/all] what`: these become a progress line, on a terminal the latest one,
# elsewhere one in 10 s.
progress() {
    local line last=$SECONDS
    while IFS= read -r line; do
        if [[ ! $line =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
            [ "$line" = 'ninja: no work to do.' ] || printf '%s\n' "$line" >&2
        elif [ -t 2 ]; then
            printf '\rbuilding: %s of %s steps, %d s ' "${BASH_REMATCH[@]:1}" "$SECONDS" >&2
            [ "${BASH_REMATCH[1]}" != "${BASH_REMATCH[2]}" ] || echo >&2
        elif [ $((SECONDS - last)) -ge 10 ]; then
            printf 'building: %s of %s steps, %d s\n' "${BASH_REMATCH[@]:1}" "$SECONDS" >&2
            last=$SECONDS
        fi
    done
}
# build_programs NAME...: in build/reproduce, with the settings that need the least processor time for a first build.
build_programs() {
    local setting
    export CCACHE_SLOPPINESS=pch_defines,time_macros # otherwise ccache does not cache precompiled headers
    mkdir -p build
    (
        flock 9 # one build at a time in this directory
        # The settings that make it quick, unity builds and precompiled headers, may fail with another compiler.
        for setting in ON OFF; do
            cmake -S . -B build/reproduce -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPARTIALFS_TESTS=OFF \
                -DPARTIALFS_QUICK=$setting >/dev/null
            if cmake --build build/reproduce --target "$@" | progress; then exit 0; fi
        done
        exit 1
    ) 9>build/lock
}
if $build; then
    cd "$(dirname "$0")/.."
    scripts/install-deps.sh --build
    wanted=(partialfs mmapstress)
    if $model || [ -n "$reason" ]; then wanted=(vmmodel); fi
    seconds=$((180 / $(nproc) + 20))
    echo "Building ${wanted[*]}: up to $seconds s if nothing is built yet; what is shown then takes a few seconds." >&2
    build_programs "${wanted[@]}"
    for folder in fusefs tools/mmapstress tools/vmmodel; do PATH=$PWD/build/reproduce/$folder:$PATH; done
    page=$PWD/build/loss.html
fi

if ! $build; then
    for program in partialfs mmapstress vmmodel; do
        command -v "$program" >/dev/null ||
            { echo "reproduce.sh: $program is not on PATH; run without --installed to build it" >&2; exit 2; }
    done
fi

bold=''
plain=''
if [ -t 1 ]; then
    bold=$'\033[1m'
    plain=$'\033[0m'
fi
title() { printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"; }
complain() { echo "reproduce.sh: $*" >&2; }
indented() { sed 's/^/    /'; }
show() {
    printf '    $ %s\n' "$*"
    "$@" 2>&1 | indented
}

# --- Without FUSE: the model ----------------------------------------------------------------------

by_model() {
    local lost=0 kept=0
    if $build; then build_programs vmmodel; fi # built only if it is needed
    title "The VM of Linux 2.6.19 over a filesystem that flushes its own blocks: the shortest loss"
    show vmmodel explore --era linux-2.6.19 --filesystem eager --fsyncs 0 --msyncs 0 || lost=$?
    title "The same search under the VM of Linux 2.6.20, which has the fix"
    show vmmodel explore --era linux-2.6.20 --filesystem eager --fsyncs 0 --msyncs 0 || kept=$?
    title "Result, by the model"
    printf '    %-14s %s\n' contract 'can a mapped store be lost?'
    printf '    %-14s %s\n' linux-2.6.19 "$(answer $lost)" linux-2.6.20 "$(answer $kept)"
    [ $lost = 1 ] && [ $kept = 0 ]
}

# The meaning of an exit code of vmmodel.
answer() {
    case "$1" in
    0) echo 'no, in any interleaving within these bounds' ;;
    1) echo 'yes, in the steps above' ;;
    *) echo "can't tell: vmmodel ended with exit code $1" ;;
    esac
}

# --- With FUSE: a mount ---------------------------------------------------------------------------

work=$(mktemp -d -t partialfs.XXXXXX)
lossy=$work/linux-2.6.19
fixed=$work/linux-2.6.20
mkdir -p "$lossy/disk" "$lossy/mnt" "$fixed/disk" "$fixed/mnt"

cleanup() {
    local status=$?
    trap - EXIT
    trap '' INT TERM HUP
    unmount_partialfs "$fixed/mnt" || true
    if $keep && mountpoint -q "$lossy/mnt"; then
        cat <<END

The mount is left for you: $lossy/mnt, over the directory $lossy/disk.
    ledger of lost stores: $lossy/mnt/.partialfs/ledger
    counters:              $lossy/mnt/.partialfs/status
    when done:             $(command -v partialfs) --unmount $lossy/mnt && rm -r $work
END
    else
        unmount_partialfs "$lossy/mnt" || true
        rm -rf --one-file-system "$work"
    fi
    exit "$status"
}
trap cleanup EXIT
trap 'keep=false; exit 130' INT
trap 'keep=false; exit 143' TERM
trap 'keep=false; exit 129' HUP

# Fails with 3 if no mount is possible, and sets reason.
mount_in() {
    mount_partialfs "$1/log" partialfs "$1/disk" "$1/mnt" --contract "$(basename "$1")" --flush-policy eager --commit-interval 50ms \
        --log-level error --trace "$1/trace" || { reason=$(head -n 1 "$1/log"); return 3; }
}
! $keep || mount_tie=()

# The number of bytes that the ledger of a mount has as lost.
lost_bytes() { grep -oE '"open_bytes": [0-9]+' "$1/mnt/.partialfs/status" | grep -oE '[0-9]+$'; }

# Runs mmapstress and shows its output. Sets verdict to its exit code, and wrong to the number of bytes that it found
# wrong on disk.
verdict=0
wrong=0
stress() {
    verdict=0
    printf '    $ mmapstress %s\n' "$*" | sed "s#$work/##g"
    mmapstress "$@" >"$work/out" 2>&1 || verdict=$?
    sed "s#$work/##g" "$work/out" | indented
    wrong=$(sed -nE 's/^ +disk .*, ([0-9]+) bytes WRONG.*/\1/p' "$work/out")
    wrong=${wrong:-0}
}

by_mount() {
    [ -n "$page" ] || page=$(mktemp --suffix .html -t partialfs-loss.XXXXXX)
    title "1. A mount under the contract of Linux 2.6.19"
    mount_in "$lossy" || return # 3: no mount is possible
    echo "    $lossy/mnt, over the directory $lossy/disk; a commit every 50 ms"

    title "2. The recipe: write a page, store, commit, store, fsync. What is on disk then?"
    stress run "$lossy/mnt" --workload recipe --files 1 --size 256K --keep --max-ranges 3 \
        --report "$work/recipe.json" --schedule "$work/recipe.schedule"
    local recipe=$verdict recipe_wrong=$wrong

    title "3. One lost store, explained"
    # Exit code 1: there is damage to explain.
    verdict=0
    mmapstress explain "$work/recipe.json" --all --max-ranges 1 >"$work/out" 2>&1 || verdict=$?
    sed "s#$work/##g" "$work/out" | indented
    [ $verdict = 1 ] || return 1

    title "4. A natural workload: a file filled in 1460-byte pieces in random order, as a download does"
    stress run "$lossy/mnt" --workload linus --files 1 --size 4M --keep --max-ranges 3 \
        --report "$work/natural.json" --schedule "$work/natural.schedule"
    local natural=$verdict natural_wrong=$wrong lost
    lost=$(lost_bytes "$lossy") || { complain "the ledger of linux-2.6.19 cannot be read"; return 1; }

    # Exit code 1 is a success, too.
    mmapstress explain "$work/natural.json" --html "$page" 2>"$work/out" || [ $? = 1 ] ||
        { complain "no page of the loss: $(<"$work/out")"; return 1; }
    echo
    echo "    All of it as a page, with a map of the file: $page"

    title "5. The same schedules under the contract of Linux 2.6.20: set_page_dirty() before writepage"
    # The first mount was possible, so this is a failure, and not a reason to fall back to the model.
    mount_in "$fixed" || { complain "the second mount failed: $reason"; return 1; }
    stress replay "$fixed/mnt" "$work/recipe.schedule"
    local recipe_fixed=$verdict recipe_fixed_wrong=$wrong
    stress replay "$fixed/mnt" "$work/natural.schedule"
    local natural_fixed=$verdict natural_fixed_wrong=$wrong kept
    kept=$(lost_bytes "$fixed") || { complain "the ledger of linux-2.6.20 cannot be read"; return 1; }

    title "Result: bytes wrong on disk, and bytes that the mount's ledger says were lost"
    local row='    %-14s %22s %22s %12s\n'
    # shellcheck disable=SC2059 # the format is ours
    {
        printf "$row" contract recipe download ledger
        printf "$row" linux-2.6.19 "$(word $recipe) $recipe_wrong" "$(word $natural) $natural_wrong" "$lost"
        printf "$row" linux-2.6.20 "$(word $recipe_fixed) $recipe_fixed_wrong" \
            "$(word $natural_fixed) $natural_fixed_wrong" "$kept"
    }
    if [ $((recipe_wrong + natural_wrong)) -ne "$lost" ]; then
        complain "mmapstress found $((recipe_wrong + natural_wrong)) bytes wrong, the ledger has $lost"
        return 1
    fi
    [ "$recipe$natural$recipe_fixed$natural_fixed" = 1100 ] && [ "$lost" -gt 0 ] && [ "$kept" -eq 0 ]
}

# The meaning of an exit code of mmapstress.
word() {
    case "$1" in
    0) echo clean ;;
    1) echo CORRUPT ;;
    *) echo "can't tell" ;;
    esac
}

if ! $model && [ -z "$reason" ]; then
    status=0
    by_mount || status=$?
    [ $status = 3 ] || exit $status
fi
if ! $model; then
    echo "No mount is possible here: $reason."
    echo "The model shows the same and needs no privileges:"
fi
by_model
