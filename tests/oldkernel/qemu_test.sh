#!/usr/bin/env bash
# Short boots of Debian's kernel in QEMU.
#
#   qemu_test.sh fix CACHE      reiserfs loses stores with the fix undone, and none with it present
set -euo pipefail
what=$1
cache=$2
run=$(cd "$(dirname "$0")/../../scripts/oldkernel" && pwd)/run.sh
mkdir -p "$cache"

missing=$("$run" --check --cache "$cache" 2>&1) || { echo "skip: $missing"; exit 77; }

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# rows ARGUMENT...: run.sh with these; the rows as JSON in $temporary/rows.json.
rows() {
    local status=0
    "$run" --cache "$cache" --json "$temporary/rows.json" "$@" >"$temporary/table" 2>"$temporary/said" ||
        status=$?
    cat "$temporary/table" "$temporary/said"
    return "$status"
}

# holds EXPRESSION: of the rows, in python.
holds() {
    python3 -c 'import json, sys
rows = json.load(open(sys.argv[1]))["rows"]
sys.exit(0 if eval(sys.argv[2]) else "does not hold: " + sys.argv[2])' "$temporary/rows.json" "$1"
}

case $what in
fix)
    rows --fs reiserfs --block-size 1024 --seeds 2
    holds 'len(rows) == 2 and [row["fix"] for row in rows] == ["undone", "present"]'
    holds 'rows[0]["damaged_runs"] == 2 and rows[1]["clean_runs"] == 2'
    # Both kernels were probed at the same place; only one lost the answers.
    holds 'rows[0]["probe"]["answers_lost"] > 0 and rows[1]["probe"]["answers_lost"] == 0'
    holds 'rows[1]["probe"]["answered_dirty"] > 0 and rows[0]["probe"]["missed"] == 0'
    # A wrong expectation is an exit code of 1: the harness can fail.
    status=0
    rows --fs reiserfs --block-size 1024 --seeds 1 --fix undone --expect clean || status=$?
    [ "$status" -eq 1 ]
    ;;
*)
    echo "qemu_test.sh: no test '$what'" >&2
    exit 2
    ;;
esac
