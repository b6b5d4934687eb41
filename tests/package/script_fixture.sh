# Sourced by the tests of scripts: gives each a directory, checks that a script leaves nothing behind, and checks its
# output. The script's temporary files go to $TMPDIR, its output goes to $mine/out.
# shellcheck shell=bash
mine=$(mktemp -d -t "$(basename "$0" .sh).XXXXXX")
export TMPDIR=$mine/tmp
mkdir "$TMPDIR"
failures=0
runner= # a process to be killed with the test

mounts() { grep -F " $mine/" /proc/self/mounts | cut -d ' ' -f 2; }
# shellcheck disable=SC2317  # the trap calls it
clean_up() {
    [ -z "$runner" ] || kill "$runner" 2>/dev/null
    wait
    mounts | xargs -r -n 1 umount -l
    rm -rf --one-file-system "$mine"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

fail() {
    echo "FAILED: $*"
    sed 's/^/  | /' "$mine/out"
    failures=$((failures + 1))
}
# expect NAME CODE GOT TEXT...: checks the exit code, and that the output matches the extended regular expressions.
expect() {
    local name=$1 text
    [ "$3" -eq "$2" ] || fail "$name: exit code $3, not $2"
    shift 3
    for text in "$@"; do grep -qE -- "$text" "$mine/out" || fail "$name: no '$text' in what it printed"; done
    echo "done: $name"
}
expect_nothing_runs() { # NAME
    [ -z "$(mounts)" ] || fail "$1: a mount is left: $(mounts)"
    ! pgrep -f -- "$TMPDIR" >"$mine/left" || fail "$1: processes are left: $(xargs -r ps -o args= -p <"$mine/left")"
}
expect_nothing_left() { # NAME
    expect_nothing_runs "$1"
    rm -f "$TMPDIR"/partialfs-loss.*.html # the page for the user
    [ -z "$(ls -A "$TMPDIR")" ] || fail "$1: files are left: $(ls -A "$TMPDIR")"
}

# instead PROGRAM LINES: prints a directory with a script of these lines as PROGRAM; $real is the real one.
instead() {
    mkdir -p "$mine/instead-$1"
    printf '#!/usr/bin/env bash\nreal=%q\n%s\n' "$(command -v "$1")" "$2" >"$mine/instead-$1/$1"
    chmod +x "$mine/instead-$1/$1"
    echo "$mine/instead-$1"
}
# As from a terminal: in a process group of its own, with SIGINT not ignored (bash ignores it in `&` jobs).
as_from_a_terminal() { # PROGRAM ARGUMENT...
    exec python3 -c 'import os, signal, sys
os.setsid()
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$@"
}
# stop_runner SIGNAL: stops the runner with ^C, which reaches the whole process group, or with a signal to the script
# alone. Sets code to its exit code.
stop_runner() {
    if [ "$1" = INT ]; then kill -INT -- "-$runner"; else kill "-$1" "$runner"; fi
    wait "$runner"
    # shellcheck disable=SC2034  # for the caller
    code=$?
    runner=
}
end_of_test() {
    echo "$failures failures"
    [ "$failures" -eq 0 ]
}
