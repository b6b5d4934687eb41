#!/bin/sh
# Tests of scripts/python, by pytest.  usage: run.sh SOURCE_DIR PARTIALFS
set -eu
skip() { echo "skip: $*"; exit 77; }
/usr/bin/python3 -c 'import pytest' 2>/dev/null || skip "python3-pytest is missing: scripts/install-deps.sh"
[ -e /dev/fuse ] || skip "/dev/fuse is missing"
[ "$(id -u)" = 0 ] || skip "not root"
export PARTIALFS="$2" PYTHONPATH="$1/scripts/python" PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 -m pytest -q -p no:cacheprovider -p partialfs "$1/tests/python"
