# shellcheck shell=bash disable=SC2034
# Kyoto Cabinet's hash database: the first 64 MiB of the file are a shared mapping.
title="Kyoto Cabinet"
packages=(kyotocabinet-utils)
settings="2,000 records, 1 ms apart"
exact=false # counters and free lists get old values again

run() {
    kchashmgr create "$1/records.kch"
    records 2000 $'%k\t%v' | pace | kchashmgr import "$1/records.kch" >/dev/null
}

check() {
    kchashmgr check "$1/records.kch" 2>&1 | tr -d '\r' | grep -v '^\.*\( ([0-9]*)\)\?$' | tail -n 1
    [ "${PIPESTATUS[0]}" -eq 0 ]
}
