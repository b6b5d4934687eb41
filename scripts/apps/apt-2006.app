# shellcheck shell=bash disable=SC2034
# The apt of 2006, which built its package cache in a shared mapping of 16 MiB: mmapstress's `apt` workload
# does what it did, in that layout and order, and has a reader that walks the cache as `apt-cache dump` did.
# At the end comes an ftruncate to the used size, which makes the loss visible at once.
title="apt of 2006"
settings="a package cache of 0.6 MB"
commit_interval=10ms
in_memory=false # mmapstress says nothing of files whose pages cannot leave memory
timeout=150
random_names=('mmapstress\.[^/]*') # the directory that mmapstress makes

version() { echo "0.6"; }

# Damage found (1) is a result, too; whether there is any is for `check` to say.
run() {
    "$MMAPSTRESS" run "$1" --workload apt --seed 2006 --keep --report "$SCRATCH/report" \
        --skip live --skip pread --skip direct || [ $? -eq 1 ]
}

check() {
    local code=0
    "$MMAPSTRESS" verify "$1" "$SCRATCH/report" --report "$SCRATCH/verified" >"$SCRATCH/said" || code=$?
    if [ "$code" -ge 2 ]; then
        cat "$SCRATCH/said"
        return "$code"
    fi
    /usr/bin/python3 -c 'import json, sys
broken = json.load(open(sys.argv[1]))["judgement"]
print(f"the reader: {broken[0]}; {len(broken)} such things" if broken else "the reader: all is well")
sys.exit(len(broken) > 0)' "$SCRATCH/verified"
}
