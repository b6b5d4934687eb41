#!/usr/bin/env bash
# Runs one function of a program's file, in a process of its own.
#
#   step.sh FILE FUNCTION [ARGUMENT...]
#   step.sh FILE describe     print what the file sets, for the shell to read
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=program.sh
. "$SUPPORT/program.sh"

describe() {
    [ -n "$title" ] || title=$(basename "$file" .app)
    for name in run check; do
        declare -F "$name" >/dev/null || { echo "it has no function '$name'" >&2; exit 1; }
    done
    declare -p title packages settings commit_interval mount_options expect why exact in_memory timeout ignore random_names
}

file=$1
# shellcheck source=/dev/null
. "$file"
shift
"$@"
