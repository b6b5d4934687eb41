#!/usr/bin/env bash
# Checks the format of the sources, and what clang-tidy and shellcheck say of them.
#
#   scripts/lint.sh [--fix] [--deep] [--build DIR] [format|tidy|shell]...
#
# --fix reformats instead of complaining. --deep adds clang-tidy's checks that follow paths through
# the program, which take five times as long. --build is a configured build directory (default
# build/release) whose compile_commands.json clang-tidy uses. A file that clang-tidy found clean is
# not looked at again until it, a header of ours, or .clang-tidy changes.
set -euo pipefail
cd "$(dirname "$0")/.."

fix=false
deep=
build=build/release
checks=()
while [ $# -gt 0 ]; do
    case "$1" in
    --fix) fix=true ;;
    --deep) deep='clang-analyzer-*,bugprone-unchecked-optional-access,misc-const-correctness' ;;
    --build) build=${2:?lint.sh: --build needs a directory}; shift ;;
    format | tidy | shell) checks+=("$1") ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) echo "lint.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
    esac
    shift
done
[ ${#checks[@]} -gt 0 ] || checks=(format tidy shell)

need() { command -v "$1" >/dev/null || { echo "skip: $1 is not installed"; exit 77; }; }

# The files below the source tree, tracked or new, whose names match.
sources() { git ls-files --cached --others --exclude-standard -- "$@"; }

check_format() {
    need clang-format-19
    if $fix; then
        sources '*.cpp' '*.hpp' | xargs -r clang-format-19 -i
    else
        sources '*.cpp' '*.hpp' | xargs -r clang-format-19 --dry-run --Werror
    fi
}

check_tidy() {
    need clang-tidy-19
    [ -f "$build/compile_commands.json" ] || { echo "skip: $build is not configured"; exit 77; }
    local cache=$build/tidy common
    mkdir -p "$cache"
    common=$( { echo "$deep"; cat .clang-tidy; sources '*.hpp' | sort | xargs cat; } | sha256sum)
    export cache common build deep
    # shellcheck disable=SC2016  # expanded by the inner shell, once a file
    sources 'fusefs/*.cpp' 'tools/*.cpp' | grep -Ff <(compiled_files) |
        xargs -r -P2 -I{} bash -c '
            key=$(printf "%s" "$common" | cat - "{}" | sha256sum | cut -d" " -f1)
            [ -e "$cache/$key" ] && exit 0
            clang-tidy-19 --quiet --extra-arg=-Wno-error -p "$build" ${deep:+--checks="$deep"} "{}" 2>/dev/null && touch "$cache/$key"'
}

# Sources that this build compiles: clang-tidy can say nothing of others.
compiled_files() {
    python3 -c 'import json, os, sys
for entry in json.load(open(sys.argv[1])):
    print(os.path.relpath(entry["file"]))' "$build/compile_commands.json"
}

check_shell() {
    need shellcheck
    sources 'scripts/*.sh' 'scripts/apps/*.app' 'tests/*.sh' '.ci/run' | xargs -r shellcheck -x --severity=warning
}

for check in "${checks[@]}"; do
    "check_$check"
done
