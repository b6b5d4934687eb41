# shellcheck shell=bash disable=SC2034
# RRDtool maps its round-robin file for each update and unmaps it afterwards. Here an update brings
# 5,000 times 20 values, as a collector does that was away for a while: it is still at work when a
# commit comes.
packages=(rrdtool)
settings="4 updates of 5,000 rows"
commit_interval=2ms
expect=sometimes-unnoticed
exact=false # a value may be as the one before
why="it maps its file for a few milliseconds at a time, and not always does a commit fall into them; its files have no checksum and no links, so a value that is gone is just an unknown or an older one"
sources=20 rows=20000 start=1000000000

# `rrdtool create` begins at a random row, so all runs go on from one empty file.
prepare() {
    local definitions=() i
    for ((i = 1; i <= sources; ++i)); do definitions+=("DS:value$i:GAUGE:2:U:U"); done
    rrdtool create "$PREPARED/values.rrd" --start "$start" --step 1 "${definitions[@]}" \
        "RRA:AVERAGE:0.5:1:$rows" "RRA:MAX:0.5:60:400"
}

updates() {
    awk -v file="$1" -v sources="$sources" -v rows="$rows" -v time="$start" 'BEGIN {
        for (row = 1; row <= rows; ++row) {
            if (row % 5000 == 1)
                printf "%supdate %s", (row > 1 ? "\n" : ""), file
            printf " %d", ++time
            for (i = 1; i <= sources; ++i)
                printf ":%d", (time * i * 7919) % 99991
        }
        print ""
    }'
}

run() {
    cp "$PREPARED/values.rrd" "$1"
    updates "$1/values.rrd" | pace | rrdtool - >"$SCRATCH/said"
    ! grep ERROR "$SCRATCH/said"
}

check() {
    rrdtool dump "$1/values.rrd" >/dev/null 2>"$SCRATCH/error" || { tail -n 1 "$SCRATCH/error"; return 1; }
    rrdtool fetch "$1/values.rrd" AVERAGE --start "$start" --end "$((start + rows))" >"$SCRATCH/fetched"
    echo "rrdtool dump: no complaint, $(grep -c ': [-0-9.e+ ]*$' "$SCRATCH/fetched") of $rows rows known"
}
