#!/usr/bin/env bash
# Boots of Debian's kernels in QEMU.
#
#   qemu_test.sh fix CACHE          reiserfs loses stores with the fix undone, none with it present
#   qemu_test.sh unknown CACHE      a panic, a timeout and a failed mount are "could not tell"
#   qemu_test.sh interrupt CACHE    an interrupted run leaves nothing
#   qemu_test.sh shell CACHE        somebody at the terminal has a shell in the guest
#   qemu_test.sh partialfs CACHE PARTIALFS
#                                   a partialfs inside loses, or not, by its contract
#   qemu_test.sh compare CACHE PARTIALFS MMAPSTRESS VMMODEL
#                                   the same schedules on three sides
#   qemu_test.sh filesystems CACHE  several workloads in one boot, what is mounted over a filesystem, and
#                                   what cannot be made
#   qemu_test.sh matrix CACHE       every filesystem of the first tier, once
#   qemu_test.sh suite CACHE        a kernel of another suite
#   qemu_test.sh source CACHE       the kernel built here, as a kernel of one's own too
#   qemu_test.sh power CACHE        power cuts lose nothing on ext4, and something on a disk that lies
#   qemu_test.sh mutant CACHE       one seeded kernel bug is found; skips unless a kernel for it was built in the cache,
#                                   which takes some ten minutes of a processor
#   qemu_test.sh mutants CACHE      the same, and builds the kernel; a masked one is not found
#   qemu_test.sh blockdev CACHE PARTIALFS MMAPSTRESS VMMODEL
#                                   trixie's kernel built here without buffer heads: the device loses stores
set -euo pipefail
what=$1
cache=$2
run=$(cd "$(dirname "$0")/../../scripts/kernels" && pwd)/run.sh
mkdir -p "$cache"

missing=$("$run" --check --cache "$cache" 2>&1) || { echo "skip: $missing"; exit 77; }

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# rows ARGUMENT...: runs run.sh with these arguments; the rows go to $temporary/rows.json.
rows() {
    local status=0
    "$run" --cache "$cache" --timeout 200 --report "$temporary/rows.json" "$@" >"$temporary/table" 2>"$temporary/said" ||
        status=$?
    cat "$temporary/table" "$temporary/said"
    return "$status"
}

# holds EXPRESSION: a Python expression that must be true of the rows.
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
    # Both kernels were probed at the same place; only one lost answers.
    holds 'rows[0]["probe"]["answers_lost"] > 0 and rows[1]["probe"]["answers_lost"] == 0'
    holds 'rows[1]["probe"]["answered_dirty"] > 0 and rows[0]["probe"]["missed"] == 0'
    # A wrong expectation gives exit code 1: the harness can fail.
    status=0
    rows --fs reiserfs --block-size 1024 --seeds 1 --fix undone --expect clean || status=$?
    [ "$status" -eq 1 ]
    ;;
unknown)
    told=(--fs reiserfs --block-size 1024 --seeds 1 --fix present)
    cannot_tell() {
        local words=$1 status=0
        shift
        rows "${told[@]}" "$@" || status=$?
        if [ "$status" -ne 3 ] || ! grep -q "$words" "$temporary/table"; then
            echo "exit code $status, not 3, or no word of '$words'"
            return 1
        fi
    }
    cannot_tell "Kernel panic" --append rdinit=/none
    cannot_tell "did not end within" --timeout 1 --workload mix --ops 100000000
    # Not reiserfs, whose kernel sometimes hangs on a full disk.
    cannot_tell "No space left on device" --fs ext4 --disk 40 --size 64M
    ;;
interrupt)
    mkdir "$temporary/tmp"
    "$(dirname "$0")/interrupt.py" "$temporary/tmp" \
        "$run" --cache "$cache" --workload mix --ops 100000000 --seeds 1 --fix present
    ;;
shell)
    mkdir "$temporary/tmp"
    # The guest needs an engine, the shell does not.
    TMPDIR=$temporary/tmp "$(dirname "$0")/shell.py" "$run" --cache "$cache" --shell --engine /bin/true
    [ -z "$(ls "$temporary/tmp")" ]
    ;;
partialfs)
    inside=(--partialfs both --partialfs-program "$3" --seeds 1)
    rows "${inside[@]}"
    # This kernel has no cachestat(2): the daemon finds stored pages by comparing.
    all_compared='all(run["partialfs_status"]["kernel"]["probe"] == "compare"
                      for row in rows for run in row["results"])'
    holds "$all_compared"
    holds '[(row["contract"], row["verdict"]) for row in rows] == [("linux-2.6.19", "damage"), ("linux-2.6.20", "clean")]'
    holds 'all(run["ledger_equal"] for row in rows for run in row["results"])'
    rows "${inside[@]}" --workload mix --ops 3000
    holds "$all_compared"
    holds 'rows[1]["verdict"] == "clean"'
    holds 'all(run["ledger_equal"] for row in rows for run in row["results"])'
    ;;
power)
    rows --power-cut --cuts 10 --ops 1500
    holds 'rows[0]["cuts"] == 10 and rows[0]["checked"] >= 5 and rows[0]["synced_bytes"] > 0 and not rows[0]["alarms"]'
    rows --power-cut --cuts 10 --ops 1500 --disk-lies # exit code 0: caught
    holds 'rows[0]["alarms"] and "missing: sector" in rows[0]["alarms"][0]["cut"]'
    ;;
mutant | mutants)
    if [ "$what" = mutant ] && [ ! -e "$cache/suites/trixie/source/build/vmlinux" ]; then
        echo "skip: no kernel was built in $cache yet: run.sh --mutants --cache does"
        exit 77
    fi
    rows --mutants mkclean-and-zap --duration 90s
    python3 -c 'import json, sys
one, = json.load(open(sys.argv[1]))["mutants"]
assert one["verdict"] == "found" and one["found_by"], one' "$temporary/rows.json"
    [ "$what" = mutants ] || exit 0
    rows --mutants zap-not-dirty --duration 30s
    grep -q "not found, masked" "$temporary/table"
    # Known results are not booted again.
    rows --mutants mkclean-and-zap,zap-not-dirty --duration 90s --verbose
    if grep -q "mkclean-and-zap" "$temporary/said"; then exit 1; fi
    ;;
blockdev)
    rows --source trixie --config blockdev --workload recipe,mix --seeds 1 --ops 300 --minimise --mmapstress "$4" \
        --vmmodel "$5"
    holds '[(row["fix"], row["workload"], row["verdict"]) for row in rows] == [
        (fix, workload, "damage" if fix == "undone" else "clean")
        for fix in ("undone", "present", "buffer-heads") for workload in ("recipe", "mix")]'
    holds '"store file=0" in rows[0]["smallest"]["schedule"]'
    holds 'rows[0]["smallest"]["schedule"].count("\n") < 15 and "was not marked dirty" in rows[0]["smallest"]["reason"]'
    rows --source trixie --config blockdev --block-size 4096 --fix undone --workload mix --seeds 2 --ops 300
    # Kernel and model agree on schedules that are not among the recorded ones.
    "$(dirname "$run")/compare.sh" --cache "$cache" --source trixie --config blockdev --schedules 15 --seed 90001 \
        --partialfs "$3" --mmapstress "$4" --vmmodel "$5" --record "$temporary/recorded.jsonl" || [ $? -le 1 ]
    "$5" predict --check --era linux-6.12-blockdev "$temporary/recorded.jsonl"
    [ "$(wc -l <"$temporary/recorded.jsonl")" -ge 14 ]
    ;;
compare)
    # compared ARGUMENT...: runs compare.sh with these arguments; its answers go to $temporary/sets.json.
    compared() {
        "$(dirname "$run")/compare.sh" --cache "$cache" --timeout 200 --partialfs "$partialfs" --mmapstress "$mmapstress" \
            --vmmodel "$vmmodel" --explain 1 --verbose --report "$temporary/sets.json" "$@"
    }
    every_side_answered() {
        python3 -c 'import json, sys
sets = json.load(open(sys.argv[1]))["schedules"]
assert len(sets) == int(sys.argv[2])
for side in ("kernel", "model", "partialfs", "fuse", "emulated"):
    assert all(one[side] is not None for one in sets), side
    assert any(one[side] for one in sets), "no damage at all, " + side' "$temporary/sets.json" "$1"
    }
    partialfs=$3 mmapstress=$4 vmmodel=$5
    # Kernel and partialfs each lose exactly what vmmodel predicts for them.
    compared --schedules 12
    every_side_answered 12
    # Recorded schedules. Whether their fsyncs committed depended on the clock, so it is only certain that each side can
    # run them.
    zstd -dc "$(dirname "$0")/../golden/ext3-ordered-2.6.19.jsonl.zst" | sed -n '3,800{/"damage":\[\[/p}' |
        sed -n '1p;60p;120p;180p' >"$temporary/recorded.jsonl"
    status=0
    compared --schedules "$temporary/recorded.jsonl" || status=$?
    [ "$status" -le 1 ]
    every_side_answered 4
    ;;
filesystems)
    status=0
    rows --fs xfs,overlayfs,bindfs,ubifs,9p,nfs,hfsplus --block-size 4096 --fix present --workload recipe,mix --seeds 1 \
        --ops 500 || status=$?
    [ "$status" -eq 3 ] # hfsplus was requested
    holds '[(row["filesystem"], row["workload"], row["verdict"]) for row in rows] == [
        (name, workload, "absent" if name == "hfsplus" else "clean")
        for name in ("xfs", "overlayfs", "bindfs", "ubifs", "9p", "nfs", "hfsplus") for workload in ("recipe", "mix")]'
    holds 'all("Debian has no mkfs" in row["reasons"][0] for row in rows[-2:])'
    ;;
matrix)
    rows --matrix --workload recipe,mix --seeds 1
    holds 'len({row["filesystem"] for row in rows if row["verdict"] != "absent"}) > 15'
    ;;
suite)
    [ "$(id -u)" -eq 0 ] || { echo "skip: only root can make a system of trixie"; exit 77; }
    rows --debian trixie --fs ext4 --block-size 1024 --seeds 1
    holds '[row["verdict"] for row in rows] == ["clean", "clean"] and rows[0]["kernel"].startswith("6.12")'
    holds 'rows[0]["probe"]["answers_lost"] > 0 and rows[1]["probe"]["answers_lost"] == 0'
    ;;
source)
    rows --source --fs reiserfs --block-size 1024 --seeds 2
    holds '[row["verdict"] for row in rows] == ["damage", "clean"]'
    # An existing build is used again.
    rows --source --fs reiserfs --block-size 1024 --seeds 1 --fix undone --verbose
    if grep "building Linux" "$temporary/said"; then
        echo "built once more"
        exit 1
    fi
    image=$(echo "$cache"/suites/bookworm/source/images-*/undone/bzImage)
    rows --kernel "$image" --seeds 1 --expect clean # ext3 of today: the page machinery writes it
    rows --kernel "$image" --fs reiserfs --bus virtio --seeds 1 --expect damage
    ;;
*)
    echo "qemu_test.sh: no test '$what'" >&2
    exit 2
    ;;
esac
