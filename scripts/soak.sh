#!/usr/bin/env bash
# Runs all workloads of mmapstress in turn, with new seeds, for a long time; stops at the first that finds anything.
#
# usage: scripts/soak.sh [options]
#
#   --duration TIME   how long, a number and s, min or h (default 1h); the run that has begun is finished
#   --dir DIR         run on the filesystem of DIR (default: on partialfs mounts, a new one in each round, with each flush
#                     policy and commit intervals of 5, 20 and 50 ms in turn; the ledger must stay empty)
#   --workload NAME   only this workload; may be given several times
#   --seed N          the first seed (default: a random one, which is printed)
#   --contract NAME   the contract of the partialfs mounts (default linux-2.6.20)
#   --installed       use the programs on PATH instead of building them
#   -V, --version     print the version
#
# The workers change in each round: one thread, two threads, two processes, two processes of two threads each. On FUSE
# filesystems, stores that the kernel makes into mappings are left out (--without gup); with several workers also the
# operations of wild and grow that make files longer or zero ranges (--without gup,grow,punch). They meet the bugs K1, K4
# and K7 of Linux 6.18.
#
# The last lines count what was run and compared. If something is found, the report, the schedule, the output, the
# mount's trace and the files are kept, and the last line says where; otherwise nothing is kept. Exit status: 0 every
# run was clean; 1 damage, or an entry in the ledger; 2 wrong usage; 3 a run could not tell, or a mount failed; 130,
# 143, 129 stopped by ^C, SIGTERM or SIGHUP, and everything was clean until then.
#
# Example: scripts/soak.sh --duration 30min --workload mix --workload wild
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=scripts/support/mount.sh
. "$here/support/mount.sh"
# shellcheck source=scripts/support/version.sh
. "$here/support/version.sh"

duration=1h
target=
contract=linux-2.6.20
seed=$((RANDOM * 32768 + RANDOM))
build=true
[ -e "$here/../CMakeLists.txt" ] || build=false # installed
workloads=()
usage() { echo "soak.sh: $*; see --help" >&2; exit 2; }
while [ $# -gt 0 ]; do
    case "$1" in
    --duration | --dir | --workload | --seed | --contract) [ $# -ge 2 ] || usage "$1 needs a value" ;;&
    --duration) duration=$2; shift ;;
    --dir) target=$2; shift ;;
    --workload) workloads+=("$2"); shift ;;
    --seed) seed=$2; shift ;;
    --contract) contract=$2; shift ;;
    --installed) build=false ;;
    -V | --version) version_of soak.sh "$here/.."; exit 0 ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) usage "unknown option '$1'" ;;
    esac
    shift
done
[[ $duration =~ ^([1-9][0-9]{0,6})(s|min|h)$ ]] || usage "'$duration' is not a time, such as 90s, 30min, 1h"
case "${BASH_REMATCH[2]}" in s) seconds=1 ;; min) seconds=60 ;; h) seconds=3600 ;; esac
seconds=$((BASH_REMATCH[1] * seconds))
[[ $seed =~ ^[0-9]{1,18}$ ]] || usage "'$seed' is not a seed: a number of up to 18 digits"
seed=$((10#$seed))
[ -z "$target" ] || target=$(realpath -e -- "$target" 2>/dev/null) || usage "--dir names no directory"

if $build; then
    cd "$(dirname "$0")/.."
    scripts/install-deps.sh --build
    mkdir -p build
    (
        flock 9 # one build at a time in this directory
        cmake --preset release >/dev/null
        cmake --build build/release --target partialfs mmapstress -- --quiet
    ) 9>build/lock
    PATH=$PWD/build/release/fusefs:$PWD/build/release/tools/mmapstress:$PATH
fi
for program in mmapstress python3 setpriv $([ -n "$target" ] || echo partialfs); do
    command -v "$program" >/dev/null || { echo "soak.sh: $program is not on PATH" >&2; exit 2; }
done
mapfile -t known < <(mmapstress workloads | cut -d ' ' -f 1)
for name in "${workloads[@]}"; do
    [[ " ${known[*]} " = *" $name "* ]] || usage "no such workload: '$name'"
done
[ ${#workloads[@]} -gt 0 ] || workloads=("${known[@]}")

# --- The mount, and the cleanup ---------------------------------------------------------------------

work=$(mktemp -d -t mmapstress-soak.XXXXXX)
mount=$work/mnt
child=  # the mmapstress that runs
status=0
stopped=0 # 128 + the signal that stopped this script
finding=  # a description of what was found; $work is then kept
runs=0
begin=$SECONDS
: >"$work/totals"

complain() { echo "soak.sh: $*" >&2; }

mount_anew() { # POLICY INTERVAL
    mkdir -p "$work/disk" "$mount"
    mount_partialfs "$work/partialfs.log" partialfs "$work/disk" "$mount" --contract "$contract" --flush-policy "$1" \
        --commit-interval "$2" --log-level warning --trace "$work/trace"
}

found() { # STATUS MESSAGE
    status=$1
    finding=$2
}

summary() {
    python3 - "$work/totals" "$runs" $((SECONDS - begin)) <<'PYTHON'
import sys

operations, stores, compared, on_disk = (
    sum(column) for column in zip((0, 0, 0, 0), *(map(int, line.split()) for line in open(sys.argv[1]))))
print(f"{int(sys.argv[2]):,} runs in {int(sys.argv[3]):,} s: {operations:,} operations, {stores:,} of them stores; "
      f"{compared:,} bytes compared, {on_disk:,} of them after eviction")
PYTHON
}

# shellcheck disable=SC2317  # the trap calls it
clean_up() {
    local code=$?
    trap - EXIT
    trap '' INT TERM HUP
    if [ -n "$child" ]; then
        kill "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    unmount_partialfs "$mount" || true
    if [ -n "$finding" ]; then
        complain "$finding"
        complain "what there is to look at: $work"
    else
        rm -rf --one-file-system "$work"
    fi
    exit "$code"
}
trap clean_up EXIT
# mmapstress then verifies what it has done; nothing more is run.
stop() {
    [ "$stopped" = 0 ] || return 0 # a second signal would interrupt that
    stopped=$1
    [ -z "$child" ] || kill "$child" 2>/dev/null || true
}
trap 'stop 130' INT
trap 'stop 143' TERM
trap 'stop 129' HUP

# --- The runs ---------------------------------------------------------------------------------------

stress() { # DIRECTORY WORKLOAD [OPTION...]: one run; sets code to its exit code
    # In a session of its own, as this script passes ^C on.
    setsid setpriv --pdeathsig TERM mmapstress run "$1" --workload "$2" --seed "$seed" \
        --report "$work/report.json" --schedule "$work/schedule" "${@:3}" >"$work/printed" 2>&1 </dev/null &
    child=$!
    [ "$stopped" = 0 ] || kill "$child" 2>/dev/null || true
    code=0
    wait "$child" || code=$?
    if [ "$stopped" != 0 ]; then # the signal may have ended the wait
        code=0
        wait "$child" || code=$?
    fi
    child=
}

count() {
    runs=$((runs + 1))
    python3 - "$work/report.json" >>"$work/totals" <<'PYTHON'
import json
import sys

report = json.load(open(sys.argv[1]))
kinds, stages = report["operations"]["by_kind"], report["stages"]
print(report["operations"]["done"], kinds.get("store", 0) + kinds.get("fork-store", 0),
      sum(stage["bytes"] for stage in stages),
      sum(stage["bytes"] for stage in stages if stage["stage"] in ("evicted", "direct", "disk")))
PYTHON
}

# The options that leave out what a workload must not do here.
without() { # WORKLOAD OPTION...
    if $fuse; then
        case "$*" in
        *"--threads 1 --processes 1"*) echo --without gup ;;
        wild* | grow*) echo --without gup,grow,punch ;; # only if several workers store at the same time
        *) echo --without gup ;;
        esac
    fi
}

# Runs each workload once, until the time is up or something is found.
each_workload() { # DIRECTORY WHERE [OPTION...]
    local name code options
    for name in "${workloads[@]}"; do
        [ "$stopped" = 0 ] && [ $((SECONDS - begin)) -lt "$seconds" ] || return 0
        # shellcheck disable=SC2207  # words without spaces
        options=("${@:3}" $(without "$name" "${@:3}"))
        stress "$1" "$name" "${options[@]}"
        # If it was stopped before its first store, it could not tell.
        [ "$stopped" = 0 ] || [ "$code" != 3 ] || return 0
        count || true
        if [ "$code" != 0 ]; then
            cat "$work/printed"
            found "$([ "$code" = 1 ] && echo 1 || echo 3)" "$name, seed $seed${options[*]:+, ${options[*]}}, $2: exit code $code"
            return 0
        fi
    done
}

fuse=false
if [ -z "$target" ] || [[ $(stat -f -c %T -- "$target") = *fuse* ]]; then
    fuse=true
fi
policies=(eager ext3 writeback)
intervals=(5ms 20ms 50ms)
workers=("--threads 1 --processes 1" "--threads 2" "--processes 2" "--threads 2 --processes 2")
echo "soak.sh: ${workloads[*]}; for $duration, from seed $seed, ${target:-on partialfs, $contract}"
for ((round = 0; ; ++round, ++seed)); do
    where=$target
    if [ -z "$target" ]; then
        policy=${policies[round % 3]}
        interval=${intervals[(round + round / 3) % 3]}
        where="flush policy $policy, a commit every $interval"
        if ! mount_anew "$policy" "$interval"; then
            [ "$stopped" != 0 ] || found 3 "cannot mount: $(head -n 1 "$work/partialfs.log")"
            break
        fi
    fi
    # shellcheck disable=SC2086  # several words
    each_workload "${target:-$mount}" "$where" ${workers[round % 4]}
    if [ -z "$target" ]; then
        if [ -z "$finding" ] && ! cmp -s "$mount/.partialfs/ledger" /dev/null; then
            cp "$mount/.partialfs/ledger" "$work/ledger" 2>/dev/null || true
            found 1 "seed $seed, $where: something is in the ledger"
        fi
        cp "$mount/.partialfs/status" "$work/status" 2>/dev/null || true
        if ! unmount_partialfs "$mount" && [ -z "$finding" ]; then
            found 3 "seed $seed, $where: partialfs did not end well: $(tail -n 1 "$work/partialfs.log")"
        fi
        [ -n "$finding" ] || rm -rf --one-file-system "$work/trace" "$work/disk"
    fi
    [ -z "$finding" ] && [ "$stopped" = 0 ] && [ $((SECONDS - begin)) -lt "$seconds" ] || break
done
summary
[ "$status" != 0 ] || [ "$stopped" = 0 ] || status=$stopped
exit "$status"
