# shellcheck shell=bash disable=SC2034
# LMDB as its fastest users run it: WRITEMAP, NOSYNC and MAPASYNC. It then writes through the mapping
# alone and leaves it to the kernel to bring the pages to disk.
title="LMDB (NOSYNC)"
packages=(python3-lmdb lmdb-utils)
settings="2,000 transactions, 1 ms apart; WRITEMAP, NOSYNC, MAPASYNC"
ignore=(lock.mdb)

version() { mdb_stat -V | sed 's/^LMDB \([0-9.]*\).*/\1/'; }

run() { records 2000 $'%k\t%v' | pace | "$SUPPORT/lmdb-put.py" "$1" sync=False metasync=False map_async=True; }

check() { check_lmdb "$1" 2000; }

# LMDB's tools never complain: a lost root just leaves an older one. So the entries are counted.
check_lmdb() {
    local count
    count=$(mdb_stat "$1" 2>"$SCRATCH/error" | sed -n 's/^ *Entries: //p') || true
    if [ -z "$count" ] || ! mdb_dump "$1" >"$SCRATCH/dump" 2>>"$SCRATCH/error"; then
        echo "mdb_stat, mdb_dump: cannot read it: $(tail -n 1 "$SCRATCH/error")"
        return 1
    fi
    echo "mdb_stat: $count of $2 entries"
    [ "$count" -eq "$2" ]
}
