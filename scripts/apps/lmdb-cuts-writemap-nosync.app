# shellcheck shell=bash disable=SC2034
# The same with both.
# shellcheck source=lmdb-cuts.app
. "${BASH_SOURCE[0]%/*}/lmdb-cuts.app"

title="LMDB WRITEMAP and NOSYNC, power cuts"
expect=power-damaged
why="as NOSYNC alone: its stores are only in memory"
by_default=false # minutes
options=(writemap=True sync=False map_async=True)
