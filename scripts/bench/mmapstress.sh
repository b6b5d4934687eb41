#!/usr/bin/env bash
# Measures mmapstress: operations a second at fsx's mix and sizes, verified bytes a second.
#
#   scripts/bench/mmapstress.sh BUILD_DIRECTORY
#
# fsx's mix, mapped operations only: reads and stores of up to 64 KiB in a file of 256 KiB, every read
# verified. fsx calls msync after each store; here the file is flushed and evicted every 1,000
# operations and all of it is verified from disk at the end. fsx itself does 700 to 7,400 operations
# a second on ext4, and verifies 11 to 122 MB/s.
set -euo pipefail
tool=${1:?mmapstress.sh: which build directory?}/tools/mmapstress/mmapstress
directory=$(mktemp -d "${TMPDIR:-/var/tmp}/mmapstress-bench.XXXXXX")
trap 'rm -rf "$directory"' EXIT

python3 - "$directory" <<'PYTHON'
import random
import sys

random.seed(1)


def schedule(name, size, operations):
    with open(f"{sys.argv[1]}/{name}", "w") as out:
        print(f"mmapstress-schedule 1\nseed 1\nfile 0 size={size} start=written", file=out)
        for number, line in enumerate(operations, 1):
            print(f"{number} {line}", file=out)


def like_fsx():
    size = 256 << 10
    for number in range(1, 50001):
        if number % 1000 == 0:
            yield "evict file=0"
            continue
        length = random.randint(1, 64 << 10)
        offset = random.randrange(size - length + 1)
        yield f"{random.choice(('store', 'live-check'))} file=0 off={offset} len={length}"


schedule("fsx", 256 << 10, like_fsx())
# One store for each block of 1 KiB, in random order: the most intervals that a file can have.
blocks = list(range((256 << 20) >> 10))
random.shuffle(blocks)
schedule("blocks", 256 << 20, (f"store file=0 off={block << 10} len=1024" for block in blocks))
PYTHON

for name in fsx blocks; do
    python3 - "$tool" "$directory" "$name" <<'PYTHON'
import json
import resource
import subprocess
import sys

tool, directory, name = sys.argv[1:]
report = f"{directory}/{name}.json"
run = subprocess.run([tool, "replay", directory, f"{directory}/{name}", "--report", report],
                     stdout=subprocess.PIPE, text=True)
if run.returncode != 0:
    sys.exit(run.stdout)
result = json.load(open(report))
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
stages = {stage["stage"]: stage for stage in result["stages"]}
operations = result["operations"]
print(f"{name}: {operations['done'] / operations['seconds']:,.0f} operations a second", end="")
if stages["during"]["bytes"]:
    print(f", {stages['during']['bytes'] / operations['seconds'] / 1e6:,.0f} MB/s verified "
          "between them", end="")
print(f"; CPU {usage.ru_utime + usage.ru_stime:.1f} s")
for stage in ("live", "pread", "evicted", "direct"):
    if stages[stage]["state"] == "checked" and stages[stage]["bytes"] > 16 << 20:
        rate = stages[stage]["bytes"] / stages[stage]["seconds"] / 1e9
        print(f"  {stage}: {rate:.2f} GB/s verified")
PYTHON
done
