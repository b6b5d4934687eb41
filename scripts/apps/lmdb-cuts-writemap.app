# shellcheck shell=bash disable=SC2034
# The same, writing through its mapping.
# shellcheck source=lmdb-cuts.app
. "${BASH_SOURCE[0]%/*}/lmdb-cuts.app"

title="LMDB WRITEMAP, power cuts"
why="as without WRITEMAP, with msync instead of write(2) and fdatasync"
by_default=false # minutes
options=(writemap=True)
