#!/usr/bin/env bash
# Builds everything as a user would who reads no documentation, with another compiler and build type, checks that there
# is no warning, and runs each program's --version.
#
# usage: build_test.sh SOURCE_DIR gcc|clang BUILD_TYPE
set -euo pipefail
source=$(realpath "$1")
case "$2" in
gcc) compilers=(gcc g++) ;;
clang) compilers=(clang-19 clang++-19) ;;
*) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
esac
command -v "${compilers[1]}" >/dev/null || { echo "skip: ${compilers[1]} is not installed"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM
cmake -S "$source" -B "$work/build" -DCMAKE_BUILD_TYPE="$3" \
    -DCMAKE_C_COMPILER="${compilers[0]}" -DCMAKE_CXX_COMPILER="${compilers[1]}" >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
cmake --build "$work/build" -j2 >"$work/log" 2>&1 || { grep -E 'error|warning' -A5 "$work/log" | tail -n 60; exit 1; }
! grep -B1 -A5 'warning:' "$work/log" || { echo "FAILED: there are warnings" >&2; exit 1; }
for program in fusefs/partialfs tools/mmapstress/mmapstress tools/vmmodel/vmmodel; do
    "$work/build/$program" --version
done
