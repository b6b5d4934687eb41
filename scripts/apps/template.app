# shellcheck shell=bash disable=SC2034
# A program of your own: copy this file, change each part, and run
#     scripts/apps/run.sh path/to/your.app
# Unchanged, it runs a small program that keeps 2,000 lines in a shared mapping, so it can be tried.
# README.md in this directory explains every line of it.
title="a log"                      # what the table calls it
packages=(python3)                 # the Debian packages it needs; version() prints the first one's
settings="2,000 lines, 1 ms apart" # sizes and rates, shown in the table
commit_interval=50ms               # well below the time during which your program stores into the same page
expect=damaged                     # under linux-2.6.19; or unnoticed, sometimes, immune (then say why)
by_default=false                   # leave this line out for a program that run.sh runs without names

# Uses the files in the directory $1. It is run on the mount and, for the reference, on a plain directory,
# and must leave the same bytes each time. It works on a pipe of records, 1 ms apart on the mount.
run() {
    records 2000 "%k %v" | pace | /usr/bin/python3 -c '
import mmap, sys
with open(sys.argv[1], "w+b") as log:
    log.truncate(1 << 20)
    with mmap.mmap(log.fileno(), 1 << 20) as mapping:
        for line in sys.stdin.buffer:
            mapping.write(line)
' "$1/log"
}

# Judges the files in the directory $1, which is no longer on the mount. Returns 0 if they are good, 1 if they
# are damaged, anything else if neither is known. The last line it prints goes into the report.
check() {
    local count
    count=$(tr -d '\000' <"$1/log" | grep -cE '^key[0-9]{6} (value[0-9]{6}\.[0-9]{2}-)+$') || true
    echo "$count of 2000 lines are whole"
    [ "$count" -eq 2000 ]
}
