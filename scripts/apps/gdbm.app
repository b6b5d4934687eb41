# shellcheck shell=bash disable=SC2034
# GNU dbm: extendible hashing over a file that it maps shared in whole.
packages=(gdbmtool)
settings="2,000 records, 1 ms apart"
exact=false # counters and free lists get old values again

run() { records 2000 "store %k %v" | pace | gdbmtool --norc --newdb "$1/records.gdbm" >/dev/null; }

check() {
    gdbm_dump "$1/records.gdbm" "$SCRATCH/dump" 2>&1 | tail -n 1
    [ "${PIPESTATUS[0]}" -eq 0 ] || return 1
    local count
    count=$(sed -n 's/^#:count=//p' "$SCRATCH/dump")
    echo "gdbm_dump: $count of 2000 records"
    [ "$count" = 2000 ]
}
