# shellcheck shell=bash disable=SC2034
# The same without any journal: the row that must fail.
# shellcheck source=sqlite-cuts.app
. "${BASH_SOURCE[0]%/*}/sqlite-cuts.app"

title="SQLite without a journal, power cuts"
expect=power-damaged
why="pages are written over in place: a cut in the middle of a transaction leaves a part of it"
by_default=false # minutes
pragmas=(journal_mode=OFF)
mount_options=(--power --dirty-limit 64KiB) # so that a transaction reaches the disk piece by piece
