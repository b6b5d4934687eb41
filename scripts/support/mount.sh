#!/usr/bin/env bash
# Mounting and unmounting of partialfs, for every script here.
#
# Sourced, it gives mount_partialfs and unmount_partialfs. As a command,
#
#   scripts/support/mount.sh LOG PROGRAM DIRECTORY MOUNT [OPTION...]
#
# mounts, says "mounted PID", the daemon's, and unmounts once its standard input ends. Exit code: the daemon's; 1 with the
# daemon's words on standard error if it does not mount.

declare -A mount_daemons=() # of each mount: the daemon's process id
# What is put before the daemon's command: by default it ends, with a last commit, should the script be killed.
mount_tie=(setpriv --pdeathsig TERM)

# mount_partialfs LOG PROGRAM DIRECTORY MOUNT [OPTION...]: returns when it is mounted; fails if the daemon ends
# before that. The daemon stays a child of the script, so that its exit code is seen, in a session of its own,
# so that ^C is the script's.
mount_partialfs() {
    local log=$1 mount=$4
    setsid "${mount_tie[@]}" "$2" "$3" "$4" --foreground "${@:5}" >"$log" 2>&1 </dev/null &
    mount_daemons[$mount]=$!
    until mountpoint -q "$mount"; do # the daemon itself gives up where it cannot mount
        if ! kill -0 "${mount_daemons[$mount]}" 2>/dev/null; then
            wait "${mount_daemons[$mount]}" || true
            unset "mount_daemons[$mount]"
            return 1
        fi
        sleep 0.02
    done
}

# unmount_partialfs MOUNT [SECONDS]: ends a mount, after SECONDS (60) by force. Fails unless it could be
# unmounted and the daemon ended without an error. Nothing to do if nothing is mounted.
unmount_partialfs() {
    local i code=0 mount=$1 seconds=${2:-60} pid=${mount_daemons[$1]:-}
    [ -n "$pid" ] || return 0
    unset "mount_daemons[$mount]"
    # Before its mount is there, or if it is in use, the daemon is asked to end; that unmounts, too.
    if mountpoint -q "$mount"; then
        { timeout "$seconds" umount "$mount" || timeout "$seconds" fusermount3 -u "$mount"; } 2>/dev/null || code=1
    else
        code=1
    fi
    [ $code = 0 ] || kill "$pid" 2>/dev/null || true
    for ((i = 0; i < seconds * 20; ++i)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || code=$?
    # What a daemon leaves that had to be killed: an entry that `mountpoint` cannot look at.
    if grep -qF " $mount " /proc/self/mounts; then
        { umount -l "$mount" || fusermount3 -uz "$mount"; } 2>/dev/null || true
    fi
    return $code
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -euo pipefail
    trap 'unmount_partialfs "$4" || true' EXIT
    mount_partialfs "$@" || { tail -n 1 "$1" >&2; exit 1; }
    echo "mounted ${mount_daemons[$4]}"
    read -r _ || true
    unmount_partialfs "$4"
fi
