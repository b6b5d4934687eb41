# shellcheck shell=bash disable=SC2034
# The same without syncs: transactions that were acknowledged are gone.
# shellcheck source=lmdb-cuts.app
. "${BASH_SOURCE[0]%/*}/lmdb-cuts.app"

title="LMDB NOSYNC, power cuts"
expect=power-damaged
why="a transaction is acknowledged before anything of it is on disk, as its manual says"
by_default=false # minutes
options=(sync=False)
