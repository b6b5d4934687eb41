# shellcheck shell=bash disable=SC2034
# The same on a kernel that keeps what it could not write.
# shellcheck source=postgresql-eio.app
. "${BASH_SOURCE[0]%/*}/postgresql-eio.app"

title="PostgreSQL, EIO, fsync again, kept"
settings="--after-write-error keep, data_sync_retry=on"
mount_options=(--after-write-error keep -o allow_other)
expect=fault-safe
why="the second fsync writes what the first could not"
by_default=false
retry=on
