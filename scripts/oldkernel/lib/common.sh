# shellcheck shell=bash disable=SC2034,SC2154 # variables go between the parts that run.sh sources
# What every part of the harness needs: messages, the cache, the temporary directory.
# Sourced; the sourcing script sets `program` first.

# Exit codes of run.sh and compare.sh.
exit_usage=2
exit_unknown=3 # could not tell

# die CODE MESSAGE...: one line, and the end.
die() {
    local code=$1
    shift
    echo "$program: $*" >&2
    exit "$code"
}

usage_error() { die "$exit_usage" "$*; see --help"; }

# Progress, on standard error, where a person is looking or --verbose was given.
note() {
    if [ "${verbose:-false}" = true ] || [ -t 2 ]; then
        echo "$program: $*" >&2
    fi
}

# can_write OPTION FILE: now, not after all the work. Nothing if FILE is empty.
can_write() {
    [ -n "$2" ] || return 0
    { [ ! -d "$2" ] && [ -w "$([ -e "$2" ] && echo "$2" || dirname "$2")" ]; } ||
        usage_error "$1: cannot write $2"
}

# need COMMAND PACKAGE
need() {
    command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] ||
        die "$exit_unknown" "no $1: install the package $2 (scripts/install-deps.sh --oldkernel has them all)"
}

# need_room DIRECTORY MEBIBYTES
need_room() {
    local free
    free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$2" ] ||
        die "$exit_unknown" "disk full: $1 has $free MiB left and $2 MiB are needed; free some, or give --cache DIR"
}

# In $temporary, made once, removed at the end however it comes; jobs of ours end first.
make_temporary() {
    temporary=$(mktemp -d "${TMPDIR:-/tmp}/partialfs-oldkernel.XXXXXX") ||
        die "$exit_unknown" "cannot make a temporary directory in ${TMPDIR:-/tmp}"
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
}

# The processes that this shell started; each ends its own on SIGTERM.
children=()

stop_children() {
    local child
    for child in $(jobs -p) "${children[@]}"; do
        kill "$child" 2>/dev/null || true
    done
    wait 2>/dev/null || true
}

clean_up() {
    trap - EXIT INT TERM HUP
    stop_children
    if [ "${keep:-false}" = true ]; then
        echo "$program: kept $temporary" >&2
    else
        rm -rf "$temporary"
    fi
}

# set_cache DIRECTORY: makes it, and sets $cache to its absolute path.
set_cache() {
    cache=$1
    { mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ]; } ||
        die "$exit_unknown" "cannot write the cache directory $cache; give another with --cache DIR"
    cache=$(cd "$cache" && pwd)
}

# with_lock NAME COMMAND...: one process at a time does this in the cache.
with_lock() {
    local lock
    exec {lock}>"$cache/.lock-$1"
    flock "$lock"
    shift
    "$@"
    exec {lock}>&-
}
