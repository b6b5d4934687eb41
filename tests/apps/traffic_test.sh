#!/usr/bin/env bash
# Checks, with strace, that what rtorrent and apt do for scripts/apps stays on this machine and in the
# temporary directory: each socket address is a Unix socket's or 127.0.0.1, and each file opened for
# writing is below the directory or a device.
#
# Exit code: 0 all good; 1 not; 77 rtorrent is not installed or strace may not trace.
set -euo pipefail

apps=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../scripts/apps" && pwd)
type -P rtorrent >/dev/null || { echo "skipped: rtorrent is not installed (scripts/install-deps.sh --apps)"; exit 77; }
strace -o /dev/null true 2>/dev/null || { echo "skipped: strace may not trace here"; exit 77; }

work=$(mktemp -d "${TMPDIR:-/tmp}/traffic-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
status=0

for name in rtorrent apt; do
    mkdir -p "$work/$name/prepared" "$work/$name/scratch" "$work/$name/home" "$work/$name/files"
    cd "$work/$name/scratch"
    for step in prepare "run $work/$name/files" "check $work/$name/files"; do
        # shellcheck disable=SC2086  # a function and its argument
        env -i PATH="$PATH" HOME="$work/$name/home" TMPDIR="$PWD" LC_ALL=C.UTF-8 SUPPORT="$apps/support" \
            PREPARED="$work/$name/prepared" SCRATCH="$PWD" QUICK=true MMAPSTRESS=/bin/false PACE=0 \
            "$apps/support/contain.py" 60 strace -f -y -qqq -e signal=none -o "$work/trace" \
            -e trace=connect,bind,sendto,sendmsg,openat,open,creat,mkdir,mkdirat,unlink,unlinkat,rename,renameat2 \
            bash "$apps/support/step.sh" "$apps/$name.app" $step >"$work/log" 2>&1 ||
            { echo "FAILED: $name: $step"; cat "$work/log"; status=1; }
        cat "$work/trace" >>"$work/$name/trace"
    done

    # Addresses: every line with one that is neither AF_UNIX, AF_NETLINK (a query to the kernel) nor 127.0.0.1.
    if grep -E 'sa_family=' "$work/$name/trace" |
        grep -vE 'sa_family=AF_(UNIX|NETLINK)|inet_addr\("127\.0\.0\.1"\)|inet_pton\(AF_INET6, "::ffff:127\.0\.0\.1"'; then
        echo "FAILED: $name: traffic that does not stay on 127.0.0.1"
        status=1
    fi
    # Files elsewhere that are opened for writing (the descriptor's path is at the end of the line), created, removed or
    # renamed (by an absolute path: all work is in directories below $work).
    if grep -E 'O_WRONLY|O_RDWR|O_CREAT|^[0-9]+ +(creat|mkdir|unlink|rename)[a-z0-9]*\((.*, )?"/' "$work/$name/trace" |
        grep -v ' = -1 ' | grep -vF "$work" | grep -vE '</dev/(null|tty|pts/[0-9]+|shm/[^>]*)>'; then
        echo "FAILED: $name: files touched outside of its directory"
        status=1
    fi
    # Checks the test itself: without this, an empty trace would pass.
    grep -qF "$work/$name/files" "$work/$name/trace" || { echo "FAILED: $name: strace saw nothing"; status=1; }
done
grep -q 'connect(.*127\.0\.0\.1' "$work/rtorrent/trace" || { echo "FAILED: no connection was seen"; status=1; }
[ $status -eq 0 ] && echo "all on 127.0.0.1, all below the directory"
exit $status
