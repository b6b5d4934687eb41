#!/usr/bin/env bash
# Checks scripts/apps/run.sh itself: that it notices unexpected results, judges by what is on disk, and always leaves
# nothing behind.
#
#   framework_test.sh PARTIALFS MMAPSTRESS
#
# Exit code: 0 all good; 1 not; 77 this machine cannot mount partialfs.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# A name that no other process has in its arguments or environment.
# In memory where that is possible: a commit that waits for a busy disk loses nothing.
place=/tmp
[ -w /dev/shm ] && place=/dev/shm
mine=$(mktemp -d "${TMPDIR:-$place}/apps-test.XXXXXX")
export HOME=$mine/home TMPDIR=$mine/tmp
mkdir -p "$HOME" "$TMPDIR"
failures=0
runner=

run() { "$root/scripts/apps/run.sh" --partialfs "$partialfs" --mmapstress "$mmapstress" "$@" >"$mine/out" 2>"$mine/err"; }

fail() {
    echo "FAILED: $*"
    sed 's/^/  out: /' "$mine/out"
    sed 's/^/  err: /' "$mine/err"
    failures=$((failures + 1))
}

expect_code() { # WANTED GOT WHAT
    if [ "$2" -eq "$1" ]; then echo "ok: $3"; else fail "$3: exit code $2, not $1"; fi
}

expect_text() { grep -q -- "$1" "$mine/out" "$mine/err" || fail "no '$1' in what it printed"; }

# The processes that have our directory in their arguments, except this script and its children.
ours() { pgrep -f -- "$mine" | grep -vx -e "$$" -e "$BASHPID"; }

# Expects everything to be gone: processes, mounts, files; and HOME to be empty.
expect_nothing_left() {
    [ -z "$(ours)" ] || fail "$1: processes left: $(ours | xargs -r ps -o pid=,args= -p)"
    ! grep -F "$mine" /proc/self/mounts || fail "$1: a mount is left"
    [ -z "$(ls -A "$TMPDIR")" ] || fail "$1: files are left: $(ls -A "$TMPDIR")"
    [ -z "$(ls -A "$HOME")" ] || fail "$1: HOME has been written to: $(ls -A "$HOME")"
}

# shellcheck disable=SC2317  # the trap calls it
clean_up() {
    [ -z "$runner" ] || kill "$runner" 2>/dev/null
    wait
    rm -rf "$mine"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

partialfs=$1 mmapstress=$2

# app NAME: makes a program's file: the template with more lines (standard input) at its end.
app() {
    cat "$root/scripts/apps/template.app" - >"$mine/$1.app"
    echo "$mine/$1.app"
}

run --no-such-option; expect_code 2 $? "an unknown option"
run no-such-program; expect_code 2 $? "an unknown program"
run --runs none template; expect_code 2 $? "a bad number"
run --contract linux-2.6.21 template; expect_code 2 $? "an unknown contract"
run --format xml template; expect_code 2 $? "an unknown format"
run template --report; expect_code 2 $? "a report without a file"
run "$(echo 'expect=perhaps' | app bad)"; expect_code 2 $? "an expectation that is none"
echo 'title=empty' >"$mine/empty.app"
run "$mine/empty.app"; expect_code 2 $? "a program without run and check"
run "$(echo 'packages=(partialfs-has-no-such-package)' | app unpackaged)"
expect_code 77 $? "a package that is not installed"
expect_text "partialfs-has-no-such-package is not installed"
expect_nothing_left "bad arguments"

run template --report "$mine/json"
code=$?
if [ "$code" -eq 77 ]; then
    cat "$mine/err"
    exit 77
fi
expect_code 0 "$code" "the template: damaged under linux-2.6.19, good under linux-2.6.20"
python3 - "$mine/json" <<'END' || fail "the template's JSON"
import json, sys
report = json.load(open(sys.argv[1]))
old, new = report["rows"][0]["runs"]
assert report["as_expected"]
assert (old["contract"], old["verdict"], old["mapped"]) == ("linux-2.6.19", "damaged", "rw"), old
assert old["wrong"] == old["lost"] > 0, old
assert (new["contract"], new["verdict"], new["mapped"]) == ("linux-2.6.20", "good", "rw"), new
assert new["wrong"] == new["lost"] == 0, new
END
expect_nothing_left "the template"

run --contract linux-2.6.19 "$(printf 'expect=immune\nwhy=wrong\n' | app immune)"
expect_code 1 $? "damage where none was expected"
expect_text "NOT AS EXPECTED"

run --contract linux-2.6.19 "$(printf 'run() { records 2000 "%%k %%v" >"$1/log"; }\n' | app written)"
expect_code 1 $? "no damage where some was expected: the same log with write(2)"
expect_text "the checker said good"

run --contract linux-2.6.20 "$(printf 'check() { echo fine; }\nrun() { echo "$1" >"$1/log"; }\n' | app changing)"
expect_code 1 $? "a checker that sees nothing, but bytes are wrong"
expect_text "wrong bytes"
expect_nothing_left "unexpected rows"

run "$(printf 'check() { echo no; return 1; }\n' | app strict)"
expect_code 1 $? "a checker that finds even the reference damaged"

# A program that does not end, and has started a daemon in a session of its own that uses the mount.
hanging='timeout=3
reference() { touch "$1/log"; }
check() { :; }
run() { cd "$1" && exec 7>log && { setsid sleep 1000 & } && touch '"$mine"'/hangs && sleep 1000; }'
run --contract linux-2.6.20 "$(echo "$hanging" | app hanging)"
expect_code 1 $? "a program that does not end"
expect_text "took longer than 3 s"
expect_nothing_left "a program that does not end"

# Interrupted while the program runs: by ^C (to the whole process group) and by a signal to run.sh alone.
for how in INT TERM; do
    rm -f "$mine/hangs"
    file=$(printf '%s\ntimeout=60\n' "$hanging" | app interrupted)
    # As from a terminal: in a process group of its own, with SIGINT not ignored (bash ignores it in `&` jobs).
    python3 -c 'import os, signal, sys
os.setsid()
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$root/scripts/apps/run.sh" --partialfs "$partialfs" \
        --mmapstress "$mmapstress" --contract linux-2.6.20 "$file" >"$mine/out" 2>"$mine/err" &
    runner=$!
    until [ -e "$mine/hangs" ]; do
        kill -0 "$runner" 2>/dev/null || { fail "run.sh ended before it could be interrupted"; break; }
        sleep 0.05
    done
    if [ $how = INT ]; then kill -INT -- "-$runner"; else kill -TERM "$runner"; fi
    wait "$runner"
    code=$?
    runner=
    if [ $how = INT ]; then expect_code 130 $code "^C"; else expect_code 143 $code "SIGTERM"; fi
    expect_nothing_left "interrupted by SIG$how"
done

echo "$failures failures"
[ "$failures" -eq 0 ]
