#!/usr/bin/env bash
# Mounts and unmounts partialfs, for every script here.
#
# Sourced, it defines mount_partialfs and unmount_partialfs. As a command,
#
#   scripts/support/mount.sh LOG PROGRAM DIRECTORY MOUNT [OPTION...]
#
# mounts, prints "mounted" and the daemon's process id, and unmounts at the end of its standard input. Exit code: the
# daemon's; 1 with the daemon's message on standard error if it cannot mount.

declare -A mount_daemons=() # for each mount: the daemon's process id
# Prefix of the daemon's command: by default the daemon ends, with a last commit, if the script is killed.
mount_tie=(setpriv --pdeathsig TERM)

# mount_partialfs LOG PROGRAM DIRECTORY MOUNT [OPTION...]: returns when it is mounted; fails if the daemon ends before
# that. The daemon is a child of the script, which can so wait for its exit code, but in a session of its own, so that
# ^C reaches only the script.
mount_partialfs() {
    local log=$1 mount=$4
    setsid "${mount_tie[@]}" "$2" "$3" "$4" --foreground "${@:5}" >"$log" 2>&1 </dev/null &
    mount_daemons[$mount]=$!
    until mountpoint -q "$mount"; do # the daemon ends by itself if it cannot mount
        if ! kill -0 "${mount_daemons[$mount]}" 2>/dev/null; then
            wait "${mount_daemons[$mount]}" || true
            unset "mount_daemons[$mount]"
            return 1
        fi
        sleep 0.02
    done
}

# unmount_partialfs MOUNT [SECONDS]: unmounts, by force after SECONDS (60). Fails unless it could be unmounted and the
# daemon ended without an error. Does nothing if nothing is mounted.
unmount_partialfs() {
    local i code=0 mount=$1 seconds=${2:-60} pid=${mount_daemons[$1]:-}
    [ -n "$pid" ] || return 0
    unset "mount_daemons[$mount]"
    # If the mount is not there yet, or is in use, a signal ends the daemon; that unmounts, too.
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
    # A killed daemon leaves a mount that `mountpoint` cannot stat.
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
