# shellcheck shell=bash disable=SC2034
# LMDB with WRITEMAP and its own msync at the end of each transaction, which is its default.
# shellcheck source=lmdb.app
. "${BASH_SOURCE[0]%/*}/lmdb.app"

title="LMDB (synced)"
settings="2,000 entries, 1 ms apart, 50 a transaction; WRITEMAP"
commit_interval=10ms
why="each transaction ends with an msync, but commits fall between its stores; with one entry a transaction there is so little time between a store and its msync that hardly any is hit"

run() { records 2000 $'%k\t%v' | pace | "$SUPPORT/lmdb-put.py" "$1" 50; }

check() { check_lmdb "$1" 2000; }
