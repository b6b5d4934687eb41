#!/usr/bin/env bash
# Bad input to scripts/oldkernel/run.sh: one line that says what to do, the right exit code, and
# nothing left behind. Needs no QEMU.
set -euo pipefail
run=$(cd "$(dirname "$0")/../../scripts/oldkernel" && pwd)/run.sh
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
export TMPDIR=$temporary/tmp XDG_CACHE_HOME=$temporary/cache
mkdir "$TMPDIR"
failures=0

# refuses CODE WORDS ARGUMENT...
refuses() { refuses_of "$run" "$@"; }

# refuses_of SCRIPT CODE WORDS ARGUMENT...
refuses_of() {
    local script=$1 code=$2 words=$3 status=0 said
    shift 3
    said=$("$script" "$@" 2>&1 >/dev/null) || status=$?
    if [ "$status" -ne "$code" ] || [ "$(wc -l <<<"$said")" -ne 1 ] || [[ $said != *"$words"* ]]; then
        echo "$(basename "$script") $*: exit code $status, not $code, or not one line with '$words': $said"
        failures=$((failures + 1))
    fi
}

echo "not a kernel" >"$temporary/text"
head -c 100000 /dev/zero >"$temporary/zeros"
refuses 2 "unknown option '--fish'" --fish
refuses 2 "needs a value" --kernel
refuses 2 "no such file" --kernel "$temporary/none"
refuses 2 "is not a kernel image" --kernel "$temporary/text"
refuses 2 "is not a kernel image" --kernel "$temporary/zeros"
refuses 2 "cannot read" --kernel "$temporary"
refuses 2 "no filesystem 'minix'" --fs minix
refuses 2 "--block-size takes" --block-size 512
refuses 2 "no block size of 1024" --fs jfs --block-size 1024 --engine /bin/true
refuses 2 "no workload 'fish'" --workload fish
refuses 2 "--seeds takes" --seeds 0
refuses 2 "--seeds takes" --seeds many
refuses 2 "and 9-3 has none" --seeds 9-3
refuses 2 "--smp takes" --smp 0
refuses 2 "--expect takes" --expect maybe
refuses 2 "--fix takes" --fix undo
refuses 2 "--partialfs takes" --partialfs linux-2.6.21
refuses 2 "no format 'xml'" --format xml
refuses 2 "cannot read the schedule" --schedule "$temporary/none"
{ head -c 514 /dev/zero; echo HdrS; } >"$temporary/image"
refuses 2 "--matrix goes with" --matrix --kernel "$temporary/image"
refuses 2 "--fix has no meaning" --fix undone --kernel "$temporary/image"
refuses 2 "--bus takes" --bus scsi
refuses 2 "--json: cannot write" --json "$temporary/none/rows.json"
refuses 2 "--ktap: cannot write" --ktap "$temporary"

compare() { refuses_of "${run%/*}/compare.sh" "$@"; }
compare 2 "unknown option '--fish'" --fish
compare 2 "there is no file $temporary/none" --schedules "$temporary/none"
compare 2 "--seed and --explain take a number" --seed x
compare 2 "--fs takes one filesystem here" --fs ext3,reiserfs
compare 2 "--json: cannot write" --json "$temporary/none/sets.json"
compare 3 "no program $temporary/none" --partialfs "$temporary/none"

# The environment: no QEMU, no cache, no room, packages that apt does not know.
mkdir "$temporary/bin" "$temporary/full"
for command in bash cat cut df awk dirname readlink nproc mkdir mktemp rm sed sort tail head grep flock \
    sha256sum tr dd wc; do
    ln -s "$(command -v "$command")" "$temporary/bin/$command"
done
status=0
said=$(PATH=$temporary/bin "$run" 2>&1) || status=$?
if [ "$status" -ne 3 ] || [[ $said != *"install the package qemu-system-x86"* ]]; then
    echo "without QEMU: exit code $status: $said"
    failures=$((failures + 1))
fi
if command -v qemu-system-x86_64 >/dev/null && command -v musl-gcc >/dev/null; then
    # df says how much room there is, so that a full disk needs no disk.
    printf '#!/bin/sh\necho Filesystem; echo x 20 10 10 50%% /\n' >"$temporary/full/df"
    chmod +x "$temporary/full/df"
    PATH=$temporary/full:$PATH refuses 3 "has 10 MiB left and" --engine /bin/true
fi
if command -v qemu-system-x86_64 >/dev/null; then
    refuses 3 "cannot write the cache directory" --cache /proc/none
    refuses 2 "no program" --engine "$temporary/none"
fi
if command -v qemu-system-x86_64 >/dev/null && command -v musl-gcc >/dev/null && command -v apt-get >/dev/null; then
    mkdir "$temporary/lists"
    echo "Dir::State::lists \"$temporary/lists\"; Dir::Cache::pkgcache \"\"; Dir::Cache::srcpkgcache \"\";" \
        >"$temporary/apt.conf"
    export APT_CONFIG=$temporary/apt.conf
    refuses 3 "run apt-get update as root" --engine /bin/true
    refuses 3 "cannot fetch linux-source-6.1" --source --engine /bin/true
    unset APT_CONFIG
fi

if [ -n "$(ls -A "$TMPDIR")" ]; then
    echo "left behind: $(ls -A "$TMPDIR")"
    failures=$((failures + 1))
fi
[ "$failures" -eq 0 ]
