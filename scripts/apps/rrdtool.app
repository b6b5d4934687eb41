# shellcheck shell=bash disable=SC2034
# RRDtool maps its round-robin file for each update and unmaps it afterwards. Here an update brings
# 500 values, as a collector does that was away for a while.
packages=(rrdtool)
settings="200 updates of 500 values"
commit_interval=5ms
expect=unnoticed
why="its files have no checksum and no links, so a value that is gone is just an unknown or an older one"

# `rrdtool create` begins at a random row, so all runs go on from one empty file.
prepare() {
    rrdtool create "$PREPARED/values.rrd" --start 1000000000 --step 1 \
        DS:value:GAUGE:2:U:U RRA:AVERAGE:0.5:1:100000 RRA:MAX:0.5:60:2000
}

updates() {
    awk -v file="$1" 'BEGIN {
        time = 1000000000
        for (update = 1; update <= 200; ++update) {
            line = "update " file
            for (i = 1; i <= 500; ++i) {
                ++time
                line = line " " time ":" (time * 7919) % 99991
            }
            print line
        }
    }'
}

run() {
    cp "$PREPARED/values.rrd" "$1"
    updates "$1/values.rrd" | pace | rrdtool - >"$SCRATCH/said"
    ! grep ERROR "$SCRATCH/said"
}

check() {
    rrdtool dump "$1/values.rrd" >"$SCRATCH/dump.xml" 2>"$SCRATCH/error" || { tail -n 1 "$SCRATCH/error"; return 1; }
    echo "rrdtool dump: no complaint, $(grep -c '<v>[0-9]' "$SCRATCH/dump.xml") values"
}
