#!/usr/bin/env bash
# Installs the packages that are missing, builds everything and runs the test suite.
#
# usage: scripts/test.sh [options]
#
#   (no option)       all tests but the long ones, lint included: about 15 min on two cores
#   --label REGEX     only tests whose label matches; may be given several times. Labels: unit, property, mounted, crash,
#                     loop, fuzz, qemu, apps, lint, package; and, run only if they are named or with --long: container,
#                     build, slurm
#   --name REGEX      only tests whose name matches
#   --long            also the tests that take long (label: long)
#   --repeat N        run each test up to N times, until it fails
#   --sanitize NAME   build with AddressSanitizer and UndefinedBehaviorSanitizer (address), or ThreadSanitizer (thread)
#   --no-install      install no packages
#
# Only the packages that the chosen labels need are installed. The cache of ccache is shared by all checkouts, as
# CCACHE_BASEDIR and CCACHE_NOHASHDIR are set here; set them, too, when you build by hand.
#
# The last lines are the summary of ctest, and each skipped test with its reason. Exit status: 0 all tests that ran
# passed, and none of mounted, crash, loop, apps and package was skipped although this machine has what it needs: root,
# the right to mount, /dev/fuse, loop devices. A program that is not installed, or a filesystem that the kernel does
# not have, may skip a test; tests in QEMU may always skip.
#
# Example: scripts/test.sh --label unit --label mounted --repeat 5
set -euo pipefail
cd "$(dirname "$0")/.."

preset=release
install=true
long=false
labels=()
ctest_args=()
while [ $# -gt 0 ]; do
    case "$1" in
    --sanitize)
        case "${2:-}" in
        address) preset=asan ;;
        thread) preset=tsan ;;
        *) echo "test.sh: --sanitize takes 'address' or 'thread', not '${2:-}'" >&2; exit 2 ;;
        esac
        shift ;;
    --label | -L) labels+=("${2:?test.sh: --label needs a label}"); shift ;;
    --name | -R) ctest_args+=(-R "${2:?test.sh: --name needs a regular expression}"); shift ;;
    --repeat) ctest_args+=(--repeat "until-fail:${2:?test.sh: --repeat needs a number}"); shift ;;
    --long) long=true ;;
    --no-install) install=false ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) echo "test.sh: unknown option '$1'; see --help" >&2; exit 2 ;;
    esac
    shift
done

# Whether a label was chosen.
named() {
    local pattern
    for pattern in "${labels[@]}"; do
        [[ ! $1 =~ $pattern ]] || return 0
    done
    return 1
}

if $install; then
    if [ ${#labels[@]} -gt 0 ]; then
        scripts/install-deps.sh "${labels[@]/#/--label=}"
    else
        programs=(--apps --kernels)
        ! $long || programs+=(--slurm)
        scripts/install-deps.sh "${programs[@]}"
    fi
fi

export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
export CCACHE_SLOPPINESS=pch_defines,time_macros # otherwise ccache does not cache precompiled headers

build=build/$preset
mkdir -p "$build"
(
    flock 9 # one build at a time
    settings=()
    if [ "$preset" = release ]; then # with a sanitizer GCC warns of overruns that do not exist
        settings+=(-DPARTIALFS_WERROR=ON)
        # A first build is a unity build, as in scripts/reproduce.sh: half the processor time. Two sources that share a
        # name, which would only make scripts/reproduce.sh slower, are an error here.
        [ -e "$build/CMakeCache.txt" ] || settings+=(-DCMAKE_UNITY_BUILD=ON)
    fi
    cmake --preset "$preset" "${settings[@]}" >"$build/configure.log" || { cat "$build/configure.log" >&2; exit 1; }
    cmake --build "$build" -- --quiet
) 9>build/lock

if [ ${#labels[@]} -gt 0 ]; then
    ctest_args+=(-L "$(IFS='|'; echo "${labels[*]}")")
fi
excluded=()
if ! $long; then
    excluded+=(long)
    for label in container build slurm; do
        named "$label" || excluded+=("$label")
    done
fi
# Sanitizers check our programs; tests that boot kernels or run other programs gain nothing from them.
[ "$preset" = release ] || excluded+=(qemu apps lint package container slurm)
if [ ${#excluded[@]} -gt 0 ]; then
    ctest_args+=(-LE "^($(IFS='|'; echo "${excluded[*]}"))\$")
fi

# A sanitizer's report ends the process. Reports go to files, as a daemon in the background has no terminal, and are
# shown at the end; one is enough to fail the run.
reports=$PWD/$build/sanitizer-report
rm -f "$reports".*
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:halt_on_error=1:log_path=$reports}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1:log_path=$reports}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1:log_path=$reports}

status=0
ctest --test-dir "$build" --output-on-failure --no-tests=error -j2 \
    --output-junit results.xml "${ctest_args[@]}" || status=$?
python3 scripts/skipped-tests.py "$build/results.xml" "$build" || status=1
for report in "$reports".*; do
    [ -e "$report" ] || continue
    echo "== $report"
    cat "$report"
    status=1
done
exit "$status"
