#!/usr/bin/env bash
# Measures; every claim of speed comes from here.
#
#   scripts/bench.sh [PART]... [options]
#
# Parts (default: all): filesystems   partialfs and any other mount against a plain directory
#                       vmmodel       states, simulated operations, the whole table
#                       mmapstress    operations and verified bytes a second
# Options of filesystems: --rounds N, --only WORKLOAD, --json FILE, --plot FILE.svg (the table as bars),
# --also NAME=PATH (another mount), --daemon NAME=PID (the process that serves it, for its CPU time and memory),
# --partialfs NAME=OPTIONS (one more partialfs with these options; the one that is always there has the
# contract linux-2.6.20 and the flush policy ext3).
# Not part of the tests: the figures depend on the machine, the ratios less so.
set -euo pipefail
cd "$(dirname "$0")/.."

parts=()
options=()
while [ $# -gt 0 ]; do
    case "$1" in
    filesystems | vmmodel | mmapstress) parts+=("$1") ;;
    --rounds | --also | --daemon | --partialfs | --only | --json | --plot) options+=("$1" "${2:?bench.sh: $1 needs a value}"); shift ;;
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
