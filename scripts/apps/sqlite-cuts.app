# shellcheck shell=bash disable=SC2034
# SQLite with a write-ahead log, under power cuts.
title="SQLite WAL, power cuts"
packages=(sqlite3)
settings="200 cuts; 20 pairs of rows a transaction, synchronous=FULL"
mount_options=(--power)
expect=power-safe
why="each commit ends with an fsync of the log, and a log that is torn ends where its checksums do"
timeout=400
pragmas=(journal_mode=WAL)
ignore=(bank.db bank.db-wal bank.db-shm bank.db-journal)
by_default=false # minutes

run() { "$SUPPORT/sqlite-cuts.py" "$1" "$cuts" "${pragmas[@]}"; }

check() { check_cuts "$1"; }

cuts=200
if $QUICK; then cuts=20; fi
