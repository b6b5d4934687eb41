# shellcheck shell=bash disable=SC2034
# PostgreSQL as it is by default, on a disk that refuses one write of a checkpoint.
title="PostgreSQL, EIO at fsync"
packages=(postgresql)
settings="--after-write-error clean, data_sync_retry=off"
mount_options=(--after-write-error clean -o allow_other)
commit_interval=0
expect=fault-safe
why="it panics at a failed fsync, and recovers what the checkpoint should have written from its log"
timeout=300
by_default=false # root alone can run it

retry=off

run() { "$SUPPORT/postgresql-eio.py" "$1" "$retry"; }

check() {
    cat "$1/result"
    [ "$(cat "$1/result")" = "4000 of 4000 rows" ]
}
