# shellcheck shell=bash disable=SC2034
# LMDB as it is by default, under power cuts.
title="LMDB, power cuts"
packages=(python3-lmdb)
settings="200 cuts; 20 entries a transaction"
mount_options=(--power)
expect=power-safe
why="pages are never written over: they are synced before the root that names them is written"
timeout=400
options=()
ignore=(data.mdb lock.mdb)
by_default=false # minutes

run() { "$SUPPORT/lmdb-cuts.py" "$1" "$cuts" "${options[@]}"; }

check() { check_cuts "$1"; }

cuts=200
if $QUICK; then cuts=20; fi
