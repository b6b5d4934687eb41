# shellcheck shell=bash disable=SC2034
# LMDB as its fastest users run it: WRITEMAP, NOSYNC and MAPASYNC. It then writes through the mapping
# alone and leaves it to the kernel to bring the pages to disk.
title="LMDB (NOSYNC)"
packages=(python3-lmdb lmdb-utils)
settings="2,000 transactions, 1 ms apart; WRITEMAP, NOSYNC, MAPASYNC"
exact=false # counters and free lists get old values again
ignore=(lock.mdb)

version() { mdb_stat -V | sed 's/^LMDB \([0-9.]*\).*/\1/'; }

run() { records 2000 $'%k\t%v' | pace | "$SUPPORT/lmdb-put.py" "$1" 1 sync=False metasync=False map_async=True; }

check() { check_lmdb "$1" 2000; }

# check_lmdb DIR COUNT: LMDB's tools never complain: a lost root just leaves an older one, and a lost page
# whatever is there. So the entries are counted that mdb_dump finds, and are what was put.
check_lmdb() {
    if ! mdb_dump -p "$1" >"$SCRATCH/dump" 2>"$SCRATCH/error"; then
        echo "mdb_dump: cannot read it: $(tail -n 1 "$SCRATCH/error")"
        return 1
    fi
    local count
    count=$(sed -n 's/^ //p' "$SCRATCH/dump" | paste - - | sort | comm -12 - <(records "$2" $'%k\t%v' | sort) | wc -l)
    echo "mdb_dump: $count of $2 entries"
    [ "$count" -eq "$2" ]
}
