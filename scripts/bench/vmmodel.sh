#!/usr/bin/env bash
# Measures vmmodel: states and simulated operations a second, the whole table, memory.
#
#   scripts/bench/vmmodel.sh BUILD_DIRECTORY
set -euo pipefail
model=${1:?vmmodel.sh: which build directory?}/tools/vmmodel/vmmodel

# Runs vmmodel; exit code 1 only means that a store is harmed. Sets wall and cpu (seconds), kib (peak RSS), output.
measure() {
    local figures
    figures=$(mktemp)
    output=$(python3 - "$figures" "$model" "$@" <<'PYTHON'
import resource, subprocess, sys, time
began = time.monotonic()
run = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, text=True)
took = time.monotonic() - began
if run.returncode not in (0, 1):
    sys.exit(run.returncode)
with open(sys.argv[1], "w") as figures:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=figures)
print(run.stdout, end="")
PYTHON
    )
    read -r wall cpu kib <"$figures"
    rm -f "$figures"
}

measure explore --era linux-2.6.23 --races always --stores 4 --commits 2 --writepages 2 --format json
states=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["states"])' <<<"$output")
python3 - "$states" "$cpu" "$kib" <<'PYTHON'
import sys
states, seconds, kib = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
print(f"explore: {states} states in {seconds:.1f} s of CPU: "
      f"{states / seconds / 1e6:.2f} million a second (one core), {kib / 1024:.0f} MiB")
PYTHON

for settings in "--filesystem ext3" "--filesystem eager" "--era linux-2.6.20"; do
    # shellcheck disable=SC2086  # several words each
    measure simulate $settings --ops 20000000 --format json
    python3 -c 'import json, sys
run = json.load(sys.stdin)
print(f"""simulate {sys.argv[1]}: {run["operations"] / float(sys.argv[2]) / 1e6:.1f} million operations a second of CPU""")' \
        "$settings" "$cpu" <<<"$output"
done

measure table
printf 'table: %.1f s, %.1f s of CPU, %d MiB\n' "$wall" "$cpu" $((kib / 1024))
