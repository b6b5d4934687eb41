#!/usr/bin/env bash
# A campaign of eight shards on a Slurm of one node: its own munge key, sockets and configuration, all in a temporary
# directory, every daemon in the foreground.
#
# usage: slurm_test.sh SOURCE_DIR DIRECTORY_OF_MMAPSTRESS
set -uo pipefail
source_dir=$1
PATH=$2:$PATH:/usr/sbin

[ "$(id -u)" = 0 ] || { echo "skip: slurmd wants to be root"; exit 77; }
for program in munged slurmctld slurmd sbatch squeue mmapstress; do
    command -v "$program" >/dev/null || { echo "skip: no $program (Debian's slurm-wlm and munge)"; exit 77; }
done

work=$(mktemp -d -t campaign-test.XXXXXX)
daemons=()
# shellcheck disable=SC2317  # the trap calls it
clean_up() {
    local pid
    for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${daemons[@]}"; do wait "$pid" 2>/dev/null; done
    rm -rf --one-file-system "$work"
}
trap clean_up EXIT
fail() {
    echo "FAILED: $*"
    tail -n 20 "$work"/*.log
    exit 1
}
patient() { # WHAT COMMAND...: repeats the command until it succeeds, for a minute at most
    local i
    for ((i = 0; i < 600; ++i)); do
        "${@:2}" >"$work/tried" 2>&1 && return
        sleep 0.1
    done
    fail "$1: $(cat "$work/tried")"
}

chmod 755 "$work"
mkdir "$work/state" "$work/spool" "$work/files"
(umask 077 && head -c 1024 /dev/urandom >"$work/munge.key")
host=$(hostname -s)
# Ports that are free at present.
read -r controller node < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(2)]
for each in sockets:
    each.bind(("127.0.0.1", 0))
print(*(each.getsockname()[1] for each in sockets))')
cat >"$work/slurm.conf" <<CONF
ClusterName=campaign
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller
SlurmdPort=$node
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
CredType=cred/munge
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$host Default=YES State=UP OverSubscribe=FORCE:4
CONF
export SLURM_CONF=$work/slurm.conf

munged --foreground --force --key-file="$work/munge.key" --socket="$work/munge.socket" --pid-file="$work/munged.pid" \
    --seed-file="$work/munged.seed" --log-file="$work/munged.log" >"$work/munged.out.log" 2>&1 &
daemons+=($!)
patient "munged answers" test -S "$work/munge.socket"
slurmctld -D -f "$work/slurm.conf" >"$work/slurmctld.log" 2>&1 &
daemons+=($!)
slurmd -D -f "$work/slurm.conf" >"$work/slurmd.log" 2>&1 &
daemons+=($!)
ready() { sinfo --noheader --format=%t | grep -Eq '^(idle|mix|alloc)$'; }
patient "the node is ready" ready

# The campaign, with the repository's script, as in the README.
cd "$work" || exit 1
sbatch --array=1-8 --output="$work/task-%a.log" "$source_dir/scripts/campaign.slurm" "$work/files" --ops 200 \
    >"$work/submitted" 2>&1 || fail "sbatch: $(cat "$work/submitted")"
for ((i = 0; i < 3000; ++i)); do
    [ -n "$(squeue --noheader 2>/dev/null)" ] || break
    sleep 0.1
done
[ -z "$(squeue --noheader)" ] || fail "the tasks did not end: $(squeue)"
for shard in 1 2 3 4 5 6 7 8; do
    [ -s "campaign-$shard.json" ] || fail "shard $shard left no report"
done

mmapstress merge campaign-*.json --report all.json >merged 2>&1
code=$?
cat merged
[ $code = 0 ] || fail "merge: exit code $code"
grep -q '^8 reports: ' merged || fail "merge did not see all eight"
python3 - <<'PYTHON' || fail "the merged report"
import json
import sys

merged = json.load(open("all.json"))
parts = [json.load(open(f"campaign-{shard}.json")) for shard in range(1, 9)]
assert [each["shard"] for each in merged["reports"]] == list(range(1, 9)), merged["reports"]
assert merged["shards"] == 8 and not merged["problems"], merged["problems"]
assert merged["totals"]["operations"] == sum(each["totals"]["operations"] for each in parts)
assert all(each["shard"]["seed"] == 1 for each in parts)
sys.exit(0)
PYTHON

# A missing shard is reported.
rm campaign-5.json
mmapstress merge campaign-*.json >merged 2>&1
code=$?
[ $code = 3 ] || fail "a missing shard: exit code $code"
grep -q 'no report of shard 5 of 8' merged || fail "a missing shard: $(cat merged)"
echo "a campaign of eight shards ran, and was merged"
