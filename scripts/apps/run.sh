#!/usr/bin/env bash
# Runs real programs on a partialfs mount, and lets each program's own checker judge what is on disk.
#
# usage: scripts/apps/run.sh [NAME]... [options]
#
#   NAME                  a program of scripts/apps (NAME.app), or the path of such a file of your own (default: all)
#   --runs N              run each program N times under each contract, 1 to 9999 (default 1)
#   --contract NAME       linux-2.6.19, linux-2.6.20 or both (default both)
#   --quick               less work: rtorrent with 16 MiB, tdb, apt and apt-2006, unless others are named; programs
#                         that cut the power do it 20 times
#   --format WORD         what is printed: text, json (default text)
#   --report FILE         write the report to FILE, as JSON
#   --partialfs FILE      the program partialfs to use (default: that in build/release)
#   --mmapstress FILE     the program mmapstress to use, for apt-2006 (default: that in build/release)
#   --keep                keep the temporary directory with the files of every run
#   --list                print the names of the programs
#
# A program's row is as expected if it lost data in all its runs under linux-2.6.19 and its checker noticed that (or what
# the program's file says instead), and if it lost nothing under linux-2.6.20. scripts/install-deps.sh --apps installs the
# programs. Exit status: 0 every row as expected, 1 a row is not, 2 wrong usage, 77 something is missing: a package,
# /dev/fuse, the right to mount; 130 interrupted.
#
# Example: scripts/apps/run.sh tdb rtorrent --runs 5 --report rows.json
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
support=$here/support
# shellcheck source=scripts/support/mount.sh
. "$root/scripts/support/mount.sh"
tmp=
on_disk=
contained=

say() { echo "run.sh: $*" >&2; }
usage_error() { say "$*; see --help"; exit 2; }
missing() { echo "skipped: $*" >&2; exit 77; }

### Nothing is left behind

# shellcheck disable=SC2317  # the trap calls it
cleanup() {
    trap '' INT TERM HUP
    if [ -n "$contained" ]; then
        kill "$contained" 2>/dev/null
        wait "$contained"
    fi
    # No process of this script uses the mount any more, so this ends the daemon; by force, if it hangs.
    unmount_partialfs "$tmp/mount" 10
    [ -n "$tmp" ] || return 0
    if $keep; then say "kept: $tmp $on_disk"; else rm -rf --one-file-system "$tmp" ${on_disk:+"$on_disk"}; fi
    tmp=
}

# The directory for the temporary directory: in memory, if there is room and the user has not set TMPDIR. A commit that
# waits for a busy disk comes too late, after the stores that it was to come between.
scratch_place() {
    local free=0
    [ -w /dev/shm ] && free=$(df --output=avail --block-size=1M /dev/shm | tail -n 1)
    if [ -n "${TMPDIR:-}" ]; then echo "$TMPDIR"; elif [ "$free" -ge 1024 ]; then echo /dev/shm; else echo /tmp; fi
}

lines() { printf '%s\n' "$@"; }

### Running a step of a program's file

# step SECONDS FUNCTION [ARGUMENT...]: runs a function of $file, in a clean environment; its output goes to
# $run/FUNCTION.log. With traced=true strace writes the mappings it makes to $run/strace.log. Exit code: the function's,
# or contain.py's.
step() {
    local seconds=$1 function=$2 tracer=()
    shift 2
    ${traced:-false} && tracer=(strace -f --seccomp-bpf -qqq -y -e 'trace=mmap,mprotect'
                                -e status=successful -e signal=none -o "$run/strace.log")
    mkdir -p "$run/scratch" "$tmp/home"
    # In the background, so that ^C takes effect at once.
    (cd "$run/scratch" && exec env -i PATH="$PATH:/usr/sbin:/sbin" HOME="$tmp/home" TMPDIR="$run/scratch" \
        LC_ALL=C.UTF-8 TZ=UTC TERM=dumb SUPPORT="$support" PREPARED="$prepared" SCRATCH="$run/scratch" \
        QUICK="$quick" MMAPSTRESS="$mmapstress" \
        "$support/contain.py" "$seconds" "${tracer[@]}" \
        bash "$support/step.sh" "$file" "$function" "$@") </dev/null >"$run/$function.log" 2>&1 &
    contained=$!
    wait "$contained"
    local code=$?
    contained=
    [ "$code" -ne 130 ] || exit 130 # ^C
    return "$code"
}

# The last line that a step printed, without control characters and temporary paths, shortened for a table.
last_words() { tail -n 1 "$run/$1.log" | tr -d '\000-\037' | sed "s|$run/[a-z]*/||g" | cut -c 1-160; }

# explain FUNCTION CODE: prints what went wrong in a step; its last lines go to standard error.
explain() {
    [ -s "$run/$1.log" ] && tail -n 15 "$run/$1.log" | sed "s/^/  $1: /" >&2
    case $2 in
    124) echo "'$1' took longer than $timeout s" ;;
    *) echo "'$1' failed with exit code $2: $(last_words "$1")" ;;
    esac
}

### The mount

mount_run() { # CONTRACT
    mkdir -p "$run/backing" "$tmp/mount"
    mount_partialfs "$run/partialfs.log" "$partialfs" "$run/backing" "$tmp/mount" --contract "$1" \
        --flush-policy eager --commit-interval "$commit_interval" "${mount_options[@]}"
}

### One run

# Sets verdict (good, damaged or error) and checker (its last line); the wrong bytes go to $run/wrong.
one_run() {
    local contract=$1 code
    verdict=error checker=''
    if ! mount_run "$contract"; then
        sed 's/^/  /' "$run/partialfs.log" >&2
        checker="cannot mount: $(last_words partialfs)"
        return
    fi
    traced=true step "$timeout" run "$tmp/mount"
    code=$?
    # Makes the kernel write back what it still has, so that the ledger is complete.
    timeout 60 sync -f "$tmp/mount"
    if ! timeout 60 cp "$tmp/mount/.partialfs/ledger" "$run/ledger"; then
        checker="the mount's ledger cannot be read"
    elif [ "$code" -ne 0 ]; then
        checker=$(explain run "$code")
    fi
    # Unmounts within the time limit of a step.
    unmount_partialfs "$tmp/mount" "$timeout" ||
        checker="partialfs could not be unmounted, or ended with an error: $(last_words partialfs)"
    [ -z "$checker" ] || return
    if ! "$support/judge.py" compare "$prepared/reference" "$run/backing" "$(lines "${ignore[@]}")" \
        "$(lines "${random_names[@]}")" >"$run/wrong"; then
        checker="the files cannot be compared"
        return
    fi
    step "$timeout" check "$run/backing"
    code=$?
    case $code in
    0) verdict=good checker=$(last_words check) ;;
    1) verdict=damaged checker=$(last_words check) ;;
    *) checker=$(explain check "$code") ;;
    esac
}

# Prepares a program and makes its reference, which its own checker must find good. Sets version, and problem if
# anything went wrong.
prepare_program() {
    local function arguments
    mkdir -p "$prepared/reference" "$run"
    for function in version prepare reference check; do
        arguments=()
        case $function in
        reference) arguments=("$prepared/reference") ;;
        check)
            cp -a --sparse=always "$prepared/reference" "$run/copy"
            arguments=("$run/copy")
            ;;
        esac
        step "$timeout" "$function" "${arguments[@]}" || {
            problem="before anything is mounted: $(explain "$function" $?)"
            return
        }
    done
    version=$(last_words version)
}

run_program() {
    local file=$1 name definition problem='' version='' package contract number begin end verdict checker
    local title packages=() settings commit_interval mount_options=() expect why exact in_memory timeout place=$tmp ignore=() random_names=()
    name=$(basename "$file" .app)
    if ! definition=$(SUPPORT=$support QUICK=$quick bash "$support/step.sh" "$file" describe); then
        say "$file cannot be used"
        exit 2
    fi
    eval "$definition" # title, packages, settings and so on: local here
    [[ $expect =~ ^(damaged|unnoticed|sometimes|sometimes-unnoticed|immune|fault-safe|fault-damaged|power-safe|power-damaged)$ ]] ||
        { say "$file: expect=$expect: must be damaged, unnoticed, sometimes, sometimes-unnoticed, immune, fault-safe, fault-damaged, power-safe or power-damaged"; exit 2; }
    [[ $exact$in_memory =~ ^(true|false){2}$ ]] || { say "$file: exact and in_memory must be true or false"; exit 2; }
    if ! $in_memory; then
        [ -n "$on_disk" ] || on_disk=$(mktemp -d "${TMPDIR:-/tmp}/partialfs-apps.XXXXXX") || exit 1
        place=$on_disk
    fi
    local prepared=$place/$name/prepared run=$place/$name/prepare
    for package in "${packages[@]}"; do
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
            echo "skipped: $name: Debian's package $package is not installed (scripts/install-deps.sh --apps)" >&2
            incomplete=true
            return
        fi
    done
    prepare_program
    for contract in "${contracts[@]}"; do
        # The result on a failing disk does not depend on the contract.
        [[ $expect != fault-* || $contract != linux-2.6.19 ]] || continue
        # The result of a power cut does not depend on the contract.
        [[ $expect != power-* || $contract != linux-2.6.19 ]] || continue
        for ((number = 1; number <= runs; ++number)); do
            run=$place/$name/$contract.$number
            mkdir -p "$run"
            verdict=error checker=$problem
            begin=$EPOCHREALTIME
            [ -n "$problem" ] || one_run "$contract"
            end=$EPOCHREALTIME
            "$support/judge.py" record program="$name" title="$title" version="$version" expect="$expect" why="$why" \
                settings="${settings:+$settings, }commits every $commit_interval" contract="$contract" \
                number="$number" verdict="$verdict" checker="$checker" wrong="$run/wrong" exact="$exact" \
                ignore="$(lines "${ignore[@]}")" random="$(lines "${random_names[@]}")" \
                ledger="$run/ledger" trace="$run/strace.log" directory="$tmp/mount" \
                seconds="$(((${end/[.,]/} - ${begin/[.,]/}) / 1000))e-3" >>"$tmp/runs.jsonl" || exit 1
            $keep || rm -rf "$run"
        done
    done
    $keep || rm -rf "${place:?}/$name"
}

### The command line

# The files of the programs that run without being named.
default_files() { grep -L '^by_default=false' "$here"/*.app; }

list() { default_files | xargs -n 1 basename -s .app; }

runs=1
contracts=(linux-2.6.19 linux-2.6.20)
quick=false
keep=false
format=text
report=
partialfs=$root/build/release/fusefs/partialfs
mmapstress=$root/build/release/tools/mmapstress/mmapstress
names=()
while [ $# -gt 0 ]; do
    case $1 in
    --runs) [[ ${2:-} =~ ^[1-9][0-9]{0,3}$ ]] || usage_error "--runs takes a number, not '${2:-}'"; runs=$2; shift ;;
    --contract)
        case ${2:-} in
        both) contracts=(linux-2.6.19 linux-2.6.20) ;;
        linux-2.6.19 | linux-2.6.20) contracts=("$2") ;;
        *) usage_error "--contract takes both, linux-2.6.19 or linux-2.6.20, not '${2:-}'" ;;
        esac
        shift ;;
    --format) [[ ${2:-} =~ ^(text|json)$ ]] || usage_error "--format takes text or json, not '${2:-}'"; format=$2; shift ;;
    --report | --json) # --json: its old name; - was --format json
        [ -n "${2:-}" ] || usage_error "$1 takes a file"
        if [ "$1 $2" = '--json -' ]; then format=json; else report=$2; fi
        shift ;;
    --partialfs) partialfs=${2:?run.sh: --partialfs takes a program}; shift ;;
    --mmapstress) mmapstress=${2:?run.sh: --mmapstress takes a program}; shift ;;
    --quick) quick=true ;;
    --keep) keep=true ;;
    --list) list; exit 0 ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    -*) usage_error "unknown option '$1'" ;;
    *) names+=("$1") ;;
    esac
    shift
done

files=()
if [ ${#names[@]} -eq 0 ] && $quick; then
    names=(rtorrent tdb apt apt-2006)
fi
if [ ${#names[@]} -eq 0 ]; then
    mapfile -t files < <(default_files)
fi
for name in "${names[@]}"; do
    case $name in
    */*) file=$(realpath -e -- "$name" 2>/dev/null) || usage_error "there is no file '$name'" ;;
    *) file=$here/$name.app
       [ -f "$file" ] || usage_error "there is no program '$name' (--list prints the names)" ;;
    esac
    files+=("$file")
done

for command in strace setpriv mountpoint fusermount3 python3; do
    [ -n "$(PATH=$PATH:/usr/sbin:/sbin type -P "$command")" ] || missing "'$command' is missing (scripts/install-deps.sh --apps)"
done
[ "$(id -u)" -ne 0 ] || unshare --mount true 2>/dev/null ||
    missing "root may not mount here (a container without CAP_SYS_ADMIN?)"
[ -c /dev/fuse ] || missing "there is no /dev/fuse here, so partialfs cannot be mounted"
[[ -r /dev/fuse && -w /dev/fuse ]] || missing "$(id -un) may not open /dev/fuse, so partialfs cannot be mounted"
for program in "$partialfs" "$mmapstress"; do
    [ -x "$program" ] || missing "'$program' is not there; build it: cmake --preset release && cmake --build build/release"
done
partialfs=$(realpath "$partialfs") mmapstress=$(realpath "$mmapstress")
strace -f --seccomp-bpf -qqq -e trace=mmap -o /dev/null true 2>/dev/null ||
    missing "strace may not trace here (ptrace), so mappings cannot be seen"

trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
tmp=$(mktemp -d "$(scratch_place)/partialfs-apps.XXXXXX")
incomplete=false
: >"$tmp/runs.jsonl"
for file in "${files[@]}"; do
    run_program "$file"
done

status=0
"$support/judge.py" table "$tmp/runs.jsonl" >"$tmp/result.text" || status=1
"$support/judge.py" json "$tmp/runs.jsonl" >"$tmp/result.json" || status=1
cat "$tmp/result.$format"
[ -z "$report" ] || cp "$tmp/result.json" "$report" || status=1
[ $status -eq 0 ] && $incomplete && status=77
exit $status
