#!/usr/bin/env bash
# Measures. All figures of speed in this project come from here.
#
# usage: scripts/bench.sh [PART]... [options]
#
# PART (default: all):
#   filesystems             partialfs, and any other mount, compared with a plain directory
#   mmapstress              operations and verified bytes a second
#   vmmodel                 states and simulated operations a second, and the whole table
#
# Options of the part filesystems:
#   --rounds N              measure every workload N times and print medians (default 5)
#   --only WORKLOAD         only this workload; may be given several times
#   --also NAME=PATH        measure another mount, too, at PATH
#   --daemon NAME=PID       the process that serves that mount, for its processor time and its memory
#   --partialfs NAME=OPTIONS
#                           measure one more partialfs, with these options (the one that is always measured has the
#                           contract linux-2.6.20 and the flush policy ext3)
#   --report FILE           write the report to FILE, as JSON
#   --plot FILE.svg         draw the table as bars
#
# This is no test: the figures depend on the machine, the ratios less.
#
# Example: scripts/bench.sh filesystems --rounds 3 --only read-warm --partialfs eager='--flush-policy eager'
set -euo pipefail
cd "$(dirname "$0")/.."

parts=()
options=()
while [ $# -gt 0 ]; do
    case "$1" in
    filesystems | vmmodel | mmapstress) parts+=("$1") ;;
    --rounds | --also | --daemon | --partialfs | --only | --report | --json | --plot) # --json: --report's old name
        options+=("$1" "${2:?bench.sh: $1 needs a value}")
        shift ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) echo "bench.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
    esac
    shift
done
[ ${#parts[@]} -gt 0 ] || parts=(filesystems mmapstress vmmodel)

scripts/install-deps.sh
cmake --preset release >/dev/null
cmake --build build/release -- --quiet

for part in "${parts[@]}"; do
    echo "== $part"
    case "$part" in
    filesystems) scripts/bench/filesystems.py build/release "${options[@]}" ;;
    *) "scripts/bench/$part.sh" build/release ;;
    esac
done
