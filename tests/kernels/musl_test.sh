#!/usr/bin/env bash
# The compiler for old kernels makes a static program in which C++ works.
set -euo pipefail
tests=$(cd "$(dirname "$0")" && pwd)
compiler=$tests/../../scripts/kernels/musl/musl-g++
[ -e /usr/lib/x86_64-linux-musl/libc.a ] || { echo "skip: musl-tools is not installed"; exit 77; }
[ -e /usr/include/nlohmann/json.hpp ] || { echo "skip: nlohmann-json3-dev is not installed"; exit 77; }

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
"$compiler" -std=c++23 -O1 -Wall -Wextra -o "$temporary/program" "$tests/musl_program.cpp"

# No interpreter and no shared library: nothing of the host's glibc.
if readelf -l "$temporary/program" | grep -q INTERP; then
    echo "the program is not static"
    exit 1
fi
if strings -a "$temporary/program" | grep -q 'GNU C Library'; then
    echo "the program has glibc in it"
    exit 1
fi
"$temporary/program" "$temporary"
