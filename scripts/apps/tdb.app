# shellcheck shell=bash disable=SC2034
# tdb, Samba's hash table of records, which it keeps in a shared mapping. No transactions: tdb then
# relies on the mapping alone.
packages=(tdb-tools)
settings="2,000 records, 1 ms apart"
exact=false # counters and free lists get old values again

run() { { echo "create $1/records.tdb"; records 2000 "insert %k %v"; } | pace | tdbtool >/dev/null; }

check() {
    tdbtool "$1/records.tdb" check >"$SCRATCH/said" 2>&1 || true
    tail -n 1 "$SCRATCH/said"
    grep -q 'integrity is OK and has 2000 records' "$SCRATCH/said"
}
