#!/usr/bin/env bash
# loop-cuts.sh: cuts of the kernel that runs here lose nothing; an older notebook does; and it reports what it could not
# tell.
#
#   loop_cuts_test.sh MMAPSTRESS
set -euo pipefail
mmapstress=$1
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" -eq 0 ] || { echo "skip: mounts of our own need root"; exit 77; }
for program in mkfs.xfs mke2fs; do
    command -v "$program" >/dev/null || { echo "skip: $program is not installed"; exit 77; }
done
if [ -z "${LOOP_CUTS_APART:-}" ]; then
    unshare --mount --propagation private true 2>/dev/null || { echo "skip: mounts of our own need root"; exit 77; }
    LOOP_CUTS_APART=1 exec unshare --mount --propagation private "$here/loop_cuts_test.sh" "$@"
fi

temporary=$(mktemp -d)
trap 'umount -l "$temporary/reflinks" "$temporary/none" 2>/dev/null || true; rm -rf "$temporary"' EXIT
mkdir "$temporary/reflinks" "$temporary/none"
truncate -s 2G "$temporary/image"
mkfs.xfs -q -m reflink=1 "$temporary/image"
mount -o loop "$temporary/image" "$temporary/reflinks" 2>"$temporary/said" ||
    { echo "skip: a loop device cannot be mounted here: $(cat "$temporary/said")"; exit 77; }

# cuts EXIT ARGUMENT...: expects loop-cuts.sh with these arguments to end with that exit code.
cuts() {
    local wanted=$1 status=0
    shift
    "$here/../../scripts/kernels/loop-cuts.sh" --mmapstress "$mmapstress" --report "$temporary/rows.json" "$@" \
        >"$temporary/said" 2>&1 || status=$?
    cat "$temporary/said"
    [ "$status" -eq "$wanted" ] || { echo "exit code $status, not $wanted"; return 1; }
}

cuts 0 "$temporary/reflinks" --cuts 10 --control
python3 -c 'import json, sys
plain, control = json.load(open(sys.argv[1]))["rows"]
assert plain["cuts"] == 10 and plain["checked"] >= 3 and plain["synced_bytes"] > 0 and not plain["alarms"], plain
assert control["alarms"] and "after the start" in control["alarms"][0]["cut"], control' "$temporary/rows.json"
# A disk that does not mount is reported, and does not prevent the comparison of the others.
scripts=$here/../../scripts
PYTHONPATH=$scripts/kernels:$scripts/support python3 -B - "$temporary/reflinks" "$mmapstress" <<'END'
import sys
from pathlib import Path
from types import SimpleNamespace
from harness import loop_cuts
loop_cuts.processes.begin()
directory = Path(sys.argv[1], "by-hand")
directory.mkdir()
record = loop_cuts.Record(SimpleNamespace(ops=20000, timeout=120), loop_cuts.FILESYSTEMS["ext4"], 1, "mix", sys.argv[2],
                          directory)
record.make(3)
with open(record.cuts[1][0], "r+b") as disk:
    disk.seek(record.disk.partitions[0][0])
    disk.write(bytes(1 << 20))
part = loop_cuts.empty_part("", 0, 3)
record.compare(part)
assert part["checked"] + part["nothing_synced"] == 2 and not part["alarms"], part
one, = part["untold"]
assert "cannot mount cut-1 as ext4" in one["reason"] and "superblock" in one["reason"], one
END
rm -r "$temporary/reflinks/by-hand"
# Nothing remains: no file, no loop device.
[ -z "$(ls "$temporary/reflinks")" ]
if losetup -a | grep -F "$temporary/reflinks"; then exit 1; fi

mount -t tmpfs none "$temporary/none"
cuts 3 "$temporary/none"
grep -q "has no reflinks" "$temporary/said"
cuts 3 "$temporary/reflinks" --mmapstress /bin/true --cuts 2
grep -q "ended before there was a cut" "$temporary/said"
# A run that has not written its report yet is not cut.
cat >"$temporary/begun" <<'END'
#!/bin/sh
for report; do :; done
echo head >"$report.progress"
sleep 1
echo more >>"$report.progress"
sleep 1
END
chmod +x "$temporary/begun"
cuts 3 "$temporary/reflinks" --mmapstress "$temporary/begun" --cuts 2
grep -q "ended before there was a cut" "$temporary/said"
cuts 2 "$temporary/reflinks" --fs none
cuts 2 "$temporary/missing"
