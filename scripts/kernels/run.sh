#!/bin/sh
h=$(dirname "$(readlink -f "$0")"); PYTHONPATH=$h:$h/../support exec python3 -B -m harness.run "$@"
