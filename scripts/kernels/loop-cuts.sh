#!/bin/sh
# In mounts of its own: whatever happens, nothing stays mounted, and a loop device goes with its mount.
h=$(dirname "$(readlink -f "$0")")
export PYTHONPATH="$h:$h/../support"
[ "$(id -u)" -ne 0 ] || exec unshare --mount --propagation private python3 -B -m harness.loop_cuts "$@"
exec python3 -B -m harness.loop_cuts "$@"
