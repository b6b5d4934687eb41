# shellcheck shell=bash disable=SC2034
# The same, reading through its mapping.
# shellcheck source=sqlite-cuts.app
. "${BASH_SOURCE[0]%/*}/sqlite-cuts.app"

title="SQLite WAL and mmap_size, power cuts"
why="it reads through the mapping, and writes as without it: with write(2) and fsync"
by_default=false # minutes
pragmas=(journal_mode=WAL mmap_size=67108864)
