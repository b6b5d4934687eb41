#!/usr/bin/env bash
# Runs scripts/soak.sh for a few seconds, and checks its output, its exit code, and that nothing remains: where nothing
# is lost, where data is lost, where only the ledger has it, where a run cannot tell, and when it is stopped.
#
# usage: soak_test.sh SOURCE_DIR DIRECTORY_OF_A_PROGRAM...
set -uo pipefail
soak=$1/scripts/soak.sh
shift
for directory in "$@"; do PATH=$directory:$PATH; done

# shellcheck source=tests/package/script_fixture.sh
. "$(dirname "$0")/script_fixture.sh"
mkdir "$mine/plain"

expect_nothing_kept() { # NAME
    expect_nothing_left "$1"
    [ -z "$(ls -A "$mine/plain")" ] || fail "$1: files are left: $(ls -A "$mine/plain")"
}
# What was found is kept where the last line says; removes it.
expect_kept() { # NAME FILE...
    local place file
    expect_nothing_runs "$1"
    place=$(sed -n 's/^soak.sh: what there is to look at: //p' "$mine/out")
    [ -n "$place" ] || { fail "$1: nothing is kept"; return; }
    for file in "${@:2}"; do compgen -G "$place/$file" >/dev/null || fail "$1: $file is not kept"; done
    rm -r "$place"
    expect_nothing_kept "$1"
}
figures='[1-9][0-9,]* runs in [0-9]+ s: [1-9][0-9,]+ operations, [1-9][0-9,]+ of them stores; [1-9][0-9,]+ bytes compared, [1-9][0-9,]+ of them after'
cd "$mine" || exit 1

for wrong in --no-such-option '--duration 5' '--duration' '--seed x' '--workload none' '--dir none'; do
    # shellcheck disable=SC2086  # an option and its value
    "$soak" --installed $wrong >"$mine/out" 2>&1
    expect "wrong: $wrong" 2 $? 'soak.sh: .*; see --help'
    expect_nothing_kept "wrong: $wrong"
done

"$soak" --installed --duration 1s --seed 7 --dir plain --workload mix --workload recipe >"$mine/out" 2>&1
expect "in a directory" 0 $? 'mix recipe; for 1s, from seed 7, /.*/plain$' "^$figures"
expect_nothing_kept "in a directory"
# shellcheck disable=SC2016  # expanded by the program that stands in
PATH=$(instead mmapstress '[ "$1" = workloads ] || echo "no space"; [ "$1" != run ] || exit 3; exec "$real" "$@"'):$PATH \
    "$soak" --installed --dir plain --workload mix --seed 9 >"$mine/out" 2>&1
expect "a run that cannot tell" 3 $? '^no space$' '^soak.sh: mix, seed 9, .*: exit code 3$'
expect_kept "a run that cannot tell" printed

if [ "$(id -u)" -ne 0 ] || ! { : <>/dev/fuse; } 2>/dev/null; then
    [ $failures -eq 0 ] && echo "skip: mounts need root and /dev/fuse" && exit 77
    exit 1
fi

"$soak" --installed --duration 2s --workload mix --workload recipe --workload linus >"$mine/out" 2>&1
expect "on mounts" 0 $? 'on partialfs, linux-2.6.20$' "^$figures"
expect_nothing_kept "on mounts"

"$soak" --installed --contract linux-2.6.19 --workload recipe --seed 3 >"$mine/out" 2>&1
expect "data is lost" 1 $? '^DAMAGED' "^1 runs" '^soak.sh: recipe, seed 3, --threads 1 --processes 1 --without gup, flush policy eager, a commit every 5ms: exit code 1$'
place=$(sed -n 's/^soak.sh: what there is to look at: //p' "$mine/out")
mmapstress explain "$place/report.json" --trace "$place/trace" >"$mine/explained"
grep -q 'writepage passed over' "$mine/explained" || fail "data is lost: what is kept does not explain it"
expect_kept "data is lost" report.json schedule printed trace status disk/mmapstress.*/file0

# shellcheck disable=SC2016
PATH=$(instead mmapstress '"$real" "$@"; [ $? -le 1 ]'):$PATH "$soak" --installed --contract linux-2.6.19 --workload recipe \
    --seed 3 >"$mine/out" 2>&1
expect "only the ledger knows" 1 $? '^soak.sh: seed 3, .*: something is in the ledger$'
expect_kept "only the ledger knows" ledger status trace

# shellcheck disable=SC2016
PATH=$(instead mmapstress 'exec "$real" "$@"'):$PATH "$soak" --installed --contract none >"$mine/out" 2>&1
expect "no mount is possible" 3 $? "^soak.sh: cannot mount: .*none"
expect_kept "no mount is possible" partialfs.log

# With ^C, to the whole process group, and with a signal to the script alone, during a run.
for how in INT TERM HUP; do
    as_from_a_terminal "$soak" --installed --workload torrent >"$mine/out" 2>&1 &
    runner=$!
    until compgen -G "$TMPDIR/*/mnt/mmapstress.*/file0" >/dev/null; do
        kill -0 "$runner" 2>/dev/null || { fail "it ended before it could be stopped"; break; }
        sleep 0.01
    done
    stop_runner $how
    expect "stopped by SIG$how" $((128 + $(kill -l $how))) $code '^[0-9]+ runs in'
    expect_nothing_kept "stopped by SIG$how"
done

end_of_test
