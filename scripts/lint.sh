#!/usr/bin/env bash
# Checks the format of the sources, and runs clang-tidy and shellcheck on them: neither may report anything.
#
# usage: scripts/lint.sh [options] [CHECK]...
#
#   CHECK     format (clang-format), tidy (clang-tidy, and clang's check that members guarded by a mutex are used only
#             with the mutex held, -Wthread-safety) or shell (shellcheck); default: all
#   --fix     reformat instead of reporting
#   --deep    add the checks of clang-tidy that follow paths through the program; they take five times as long
#
# clang-tidy has a compile_commands.json of its own, in build/lint. It skips a file that it has found clean before, until
# the file, one of our headers that it includes, or .clang-tidy changes; ${XDG_CACHE_HOME:-~/.cache}/partialfs/tidy
# remembers that for every checkout. Exit status: 0 nothing to report, 1 something, 2 wrong usage, 77 a tool is not
# installed.
#
# Example: scripts/lint.sh --fix format
set -euo pipefail
cd "$(dirname "$0")/.."

fix=false
deep=
build=build/lint
checks=()
while [ $# -gt 0 ]; do
    case "$1" in
    --fix) fix=true ;;
    --deep) deep='clang-analyzer-*,bugprone-unchecked-optional-access,misc-const-correctness' ;;
    format | tidy | shell) checks+=("$1") ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) echo "lint.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
    esac
    shift
done
[ ${#checks[@]} -gt 0 ] || checks=(format tidy shell)

need() { command -v "$1" >/dev/null || { echo "skip: $1 is not installed"; exit 77; }; }

# The tracked and new files of the source tree whose names match.
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
    cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_EXPORT_COMPILE_COMMANDS=ON \
        >"$build.log" 2>&1 || { cat "$build.log"; return 1; }
    local cache=${XDG_CACHE_HOME:-$HOME/.cache}/partialfs/tidy
    mkdir -p "$cache"
    find "$cache" -type f -mtime +30 -delete
    export cache build deep
    # shellcheck disable=SC2016  # expanded by the inner shell, once a file
    sources 'fusefs/*.cpp' 'fusefs/*.hpp' 'tools/*.cpp' 'tools/*.hpp' |
        scripts/tidy-keys.py "$build" "$(clang-tidy-19 --version; echo "$deep"; cat .clang-tidy)" |
        xargs -r -P"$(nproc)" -L1 bash -c '
            [ -e "$cache/$1" ] && exec touch "$cache/$1"
            clang-tidy-19 --quiet --extra-arg=-Wno-error -p "$build" ${deep:+--checks="$deep"} "$2" 2>/dev/null ||
                { echo "lint.sh: clang-tidy reports problems in $2"; exit 1; }
            touch "$cache/$1"' tidy
}

check_shell() {
    need shellcheck
    sources 'scripts/*.sh' 'scripts/apps/*.app' 'tests/*.sh' '.ci/run' | xargs -r shellcheck -x --severity=warning
}

status=0
for check in "${checks[@]}"; do
    code=0
    ("check_$check") || code=$?
    if [ $code -eq 77 ] && [ $status -eq 0 ]; then status=77; elif [ $code -ne 0 ]; then status=1; fi
done
exit $status
