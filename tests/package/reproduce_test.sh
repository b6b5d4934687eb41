#!/usr/bin/env bash
# Runs scripts/reproduce.sh as its users do, and checks its output, its exit code, and that nothing remains: with the
# model, on a mount, with --keep, twice at once, interrupted while the mount is there, and where no mount is possible.
#
# usage: reproduce_test.sh SOURCE_DIR DIRECTORY_OF_A_PROGRAM...
set -uo pipefail
reproduce=$1/scripts/reproduce.sh
shift
for directory in "$@"; do PATH=$directory:$PATH; done

# shellcheck source=tests/package/script_fixture.sh
. "$(dirname "$0")/script_fixture.sh"

# A row of the closing table, with numbers above zero or all zero.
lossy='linux-2\.6\.19 +CORRUPT [1-9][0-9]* +CORRUPT [1-9][0-9]* +[1-9][0-9]*'
fixed='linux-2\.6\.20 +clean 0 +clean 0 +0'

"$reproduce" --installed --model >"$mine/out" 2>&1
expect "by the model" 0 $? 'linux-2\.6\.19 +yes' 'linux-2\.6\.20 +no, .* within these bounds' 'nothing is written'
for code in 2 3 137; do
    PATH=$(instead vmmodel "exit $code"):$PATH "$reproduce" --installed --model >"$mine/out" 2>&1
    expect "a model that ends with $code" 1 $? "linux-2\.6\.19 +can't tell.* $code" "linux-2\.6\.20 +can't tell.* $code"
done
"$reproduce" --no-such-option >"$mine/out" 2>&1
expect "an unknown option" 2 $? "unknown option '--no-such-option'"
mkdir "$mine/bin"
ln -s /usr/bin/{bash,env,dirname,readlink} "$mine/bin"
PATH=$mine/bin "$reproduce" --installed >"$mine/out" 2>&1
expect "no program to be found" 2 $? 'is not on PATH'
expect_nothing_left "without a mount"

if [ "$(id -u)" -ne 0 ] || ! { : <>/dev/fuse; } 2>/dev/null; then
    "$reproduce" --installed >"$mine/out" 2>&1
    expect "as this user" 0 $? linux-2.6.20
    expect_nothing_left "as this user"
    [ $failures -eq 0 ] && echo "skip: all but the model needs root and /dev/fuse" && exit 77
    exit 1
fi

setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$reproduce" --installed >"$mine/out" 2>&1
expect "without the right to mount" 0 $? 'No mount is possible here: .*mount.* not permitted' 'linux-2\.6\.19 +yes'

"$reproduce" --installed >"$mine/out" 2>&1
expect "on a mount" 0 $? "$lossy" "$fixed" 'writepage passed over' 'X passed over: lost'
expect_nothing_left "on a mount"
# The README shows these lines, with other numbers.
shape() { sed -nE '/Result: bytes wrong/,/linux-2\.6\.20/{s/[0-9]+( |$)/N\1/g;s/ +/ /g;s/^ //;p}' "$1"; }
readme=$(dirname "$reproduce")/../README.md
if [ -z "$(shape "$mine/out")" ] || [ "$(shape "$mine/out")" != "$(shape "$readme")" ]; then
    fail "the README shows other lines: $(diff <(shape "$mine/out") <(shape "$readme"))"
fi

# shellcheck disable=SC2016  # expanded by the program that stands in
second_fails=$(instead partialfs '[[ $* != *linux-2.6.20* ]] || { echo "partialfs: out of mounts"; exit 1; }; exec "$real" "$@"')
PATH=$second_fails:$PATH "$reproduce" --installed >"$mine/out" 2>&1
expect "the second mount fails" 1 $? 'the second mount failed: partialfs: out of mounts'
expect_nothing_left "the second mount fails"
# shellcheck disable=SC2016
miscounts=$(instead mmapstress '"$real" "$@" | sed -E "s/, ([0-9]+) bytes WRONG/, 1\1 bytes WRONG/"; exit "${PIPESTATUS[0]}"')
PATH=$miscounts:$PATH "$reproduce" --installed >"$mine/out" 2>&1
expect "the ledger has another number" 1 $? 'mmapstress found [0-9]+ bytes wrong, the ledger has [0-9]+'
expect_nothing_left "the ledger has another number"

# As a user who is not root, but may open /dev/fuse: in a mount namespace where everybody may. Uses copies, as the
# source and the build may be in directories that only root can read.
probe_of() { partialfs "$mine/disk" "$mine/mnt" 2>/dev/null && grep '"probe"' "$mine/mnt/.partialfs/status"; fusermount3 -u "$mine/mnt"; }
mkdir "$mine/programs" "$mine/dev" "$mine/disk" "$mine/mnt"
cp "$(command -v partialfs)" "$(command -v mmapstress)" "$(command -v vmmodel)" "$reproduce" "$mine/programs"
mkdir "$mine/programs/support"
cp "$(dirname "$reproduce")"/support/{mount,version}.sh "$mine/programs/support"
as_root=$(probe_of)
chmod 755 "$mine" "$mine/programs" "$mine/programs/support"
chmod 1777 "$TMPDIR"
chown 65534 "$mine/disk" "$mine/mnt"
# shellcheck disable=SC2016  # expanded by the inner shell
unprivileged='mount -t tmpfs none "$0/dev" && mknod -m 666 "$0/dev/fuse" c 10 229 && mount --bind "$0/dev/fuse" /dev/fuse &&
    exec setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$0" PATH="$0/programs:$PATH" "$@"'
unshare --mount --propagation private bash -c "$unprivileged" "$mine" reproduce.sh --installed >"$mine/out" 2>&1
expect "as an unprivileged user" 0 $? "$lossy" "$fixed"
expect_nothing_left "as an unprivileged user"
unshare --mount --propagation private bash -c "$unprivileged" "$mine" \
    bash -c "mine=$mine; $(declare -f probe_of); probe_of" >"$mine/out" 2>&1
[ "$(cat "$mine/out")" = "$as_root" ] || fail "root's probe is $as_root, an unprivileged user's another"
until ! pgrep -f -- "$mine/disk" >/dev/null; do sleep 0.05; done # the daemon's last commit

"$reproduce" --installed >"$mine/other" 2>&1 &
runner=$!
"$reproduce" --installed >"$mine/out" 2>&1
expect "one of two at once" 0 $? "$lossy" "$fixed"
wait $runner
code=$?
runner=
mv "$mine/other" "$mine/out"
expect "the other of two at once" 0 $code "$lossy" "$fixed"
expect_nothing_left "two at once"

"$reproduce" --installed --keep >"$mine/out" 2>&1
expect "--keep" 0 $? "$lossy" "$fixed" 'The mount is left for you'
grep -q '"lost_at"' "$(mounts)/.partialfs/ledger" || fail "--keep: no ledger to look at"
# The last line shows how to remove everything.
bash -c "$(sed -n 's/^ *when done: *//p' "$mine/out")" || fail "--keep: its own advice does not work"
until ! pgrep -f -- "$TMPDIR" >/dev/null; do sleep 0.05; done # the daemon's last commit
expect_nothing_left "--keep and its advice"

# With ^C (to the whole process group), and with signals to the script alone, once its first or second mount is there.
for how in INT TERM HUP; do
    for mount in linux-2.6.19 linux-2.6.20; do
        as_from_a_terminal "$reproduce" --installed --keep >"$mine/out" 2>&1 &
        runner=$!
        until mounts | grep -q "$mount/mnt"; do
            kill -0 "$runner" 2>/dev/null || { fail "it ended before it could be interrupted"; break; }
        done
        stop_runner $how
        expect "interrupted by SIG$how on $mount" $((128 + $(kill -l $how))) $code
        expect_nothing_left "interrupted by SIG$how on $mount"
    done
done

end_of_test
