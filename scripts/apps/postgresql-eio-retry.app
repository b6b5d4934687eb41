# shellcheck shell=bash disable=SC2034
# The same as PostgreSQL was before 12: the "fsyncgate" of 2018.
# shellcheck source=postgresql-eio.app
. "${BASH_SOURCE[0]%/*}/postgresql-eio.app"

title="PostgreSQL, EIO, fsync again"
settings="--after-write-error clean, data_sync_retry=on"
expect=fault-damaged
why="the second fsync succeeds, though the pages are lost, and the log that has them is thrown away"
by_default=false
retry=on
