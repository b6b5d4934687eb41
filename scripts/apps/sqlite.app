# shellcheck shell=bash disable=SC2034
# SQLite with its memory-mapped I/O on.
title=SQLite
packages=(sqlite3)
settings="1,000 rows, 1 ms apart; mmap_size"
expect=immune
why="it reads through the mapping, which is read-only, and writes with write(2)"

run() {
    {
        echo "PRAGMA mmap_size=67108864; PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY;"
        echo "CREATE TABLE records (key TEXT PRIMARY KEY, value TEXT);"
        records 1000 "INSERT INTO records VALUES ('%k', '%v');"
    } | pace | sqlite3 -batch "$1/records.db" >/dev/null
}

check() {
    sqlite3 "$1/records.db" "PRAGMA integrity_check; SELECT count(*) || ' of 1000 rows' FROM records;" \
        >"$SCRATCH/said" 2>&1 || { tail -n 1 "$SCRATCH/said"; return 1; }
    echo "integrity_check: $(paste -s -d, "$SCRATCH/said")"
    [ "$(cat "$SCRATCH/said")" = $'ok\n1000 of 1000 rows' ]
}
