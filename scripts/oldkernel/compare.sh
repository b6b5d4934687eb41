#!/usr/bin/env bash
# The same schedules on a kernel in QEMU, on a partialfs mount here (contract linux-2.6.19, flush
# policy ext3) and in vmmodel's prediction: for how many are the sets of damaged bytes equal, and
# where do they part?
#
#   scripts/oldkernel/compare.sh --kernel IMAGE      a kernel of yours; a 2.6.19 with ext3 should
#                                                    come out equal in all schedules
#   scripts/oldkernel/compare.sh [--debian]          Debian's kernel 6.1 with reiserfs, fix undone
#   scripts/oldkernel/compare.sh --source            Linux 6.1 built here without the fix, reiserfs
#
#   --schedules N|FILE   N seeded random schedules (default 50), half with 1 KiB and half with 4 KiB
#                        blocks; or recorded ones, as JSON Lines (compressed with zstd if .zst)
#   --seed N             the first one's seed (default 1)
#   --explain N          find the operation at which the sides part for the first N schedules that
#                        differ (default 3): each is run again, cut off after each operation
#   --json FILE          all sets
#   --partialfs FILE, --mmapstress FILE, --vmmodel FILE
#                        the programs (default: build/release's)
#   --fs NAME            the kernel's filesystem (default reiserfs; with --kernel ext3)
#   --bus, --append, --memory, --smp, --kvm, --timeout, --engine, --cache, --keep, --verbose
#                        as for run.sh
#
# The kernel must lose what vmmodel predicts for its filesystem, and partialfs what vmmodel predicts
# for a daemon that knows what partialfs can know. partialfs follows ext3: with an ext3 of its time
# the kernel must be equal to it, too. Other filesystems have other rules (reiserfs' commit writes
# only blocks that have just got their place on disk), so there the two may differ, as predicted.
#
# Exit code: 0 all sets are as they must be, 1 some are not, 2 usage, 3 could not tell.
set -euo pipefail
# shellcheck disable=SC2034 # variables go between this and its parts in lib/

program=compare.sh
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck source=scripts/oldkernel/lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=scripts/oldkernel/lib/sides.sh
. "$here/lib/sides.sh"

schedules=50 seed=1 explain=3 json_file='' filesystem='' run_options=() way=() blocks="1024 4096"
build=$here/../../build/release
partialfs=$build/fusefs/partialfs
mmapstress=$build/tools/mmapstress/mmapstress
vmmodel=$build/tools/vmmodel/vmmodel
keep=false verbose=false

while [ $# -gt 0 ]; do
    option=$1
    shift
    case $option in
    --*=*)
        set -- "${option#*=}" "$@"
        option=${option%%=*}
        ;;
    esac
    case $option in
    --debian | --source) way=("$option") ;;
    --kvm) run_options+=("$option") ;;
    --keep) keep=true ;;
    --verbose) verbose=true run_options+=("$option") ;;
    -h | --help)
        sed -n '2,/^set -euo/{/^set -euo/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    --kernel | --schedules | --seed | --explain | --json | --partialfs | --mmapstress | --vmmodel | \
        --fs | --bus | --append | --memory | --smp | --timeout | --engine | --cache)
        [ $# -gt 0 ] || usage_error "$option needs a value"
        value=$1
        shift
        case $option in
        --kernel) way=("$option" "$value") ;;
        --schedules) schedules=$value ;;
        --seed) seed=$value ;;
        --explain) explain=$value ;;
        --json) json_file=$value ;;
        --partialfs) partialfs=$value ;;
        --mmapstress) mmapstress=$value ;;
        --vmmodel) vmmodel=$value ;;
        --fs) filesystem=$value run_options+=("$option" "$value") ;;
        *) run_options+=("$option" "$value") ;;
        esac
        ;;
    *) usage_error "unknown option '$option'" ;;
    esac
done

for value in "$seed" "$explain"; do
    [[ $value =~ ^[0-9]{1,9}$ ]] || usage_error "--seed and --explain take a number, not '$value'"
done
[[ $filesystem != *,* ]] || usage_error "--fs takes one filesystem here, not '$filesystem'"
[[ $schedules =~ ^[1-9][0-9]{0,5}$ ]] || [ -f "$schedules" ] ||
    usage_error "--schedules takes a number or a file, and there is no file $schedules"
can_write --json "$json_file"
check_sides
make_temporary
make_schedules
collect "$temporary/all" "$temporary/list"

status=0
python3 "$here/lib/compare.py" "$temporary/all" --differing "$temporary/differing" \
    ${json_file:+--json "$json_file"} || status=$?
[ "$status" -eq 0 ] || [ "$status" -eq 1 ] || [ "$status" -eq 3 ] || exit "$exit_unknown"
if [ -s "$temporary/differing" ] && [ "$explain" -gt 0 ]; then
    make_prefixes
    collect "$temporary/prefixes" "$temporary/prefix-list"
    python3 "$here/lib/compare.py" "$temporary/all" --parts "$temporary/prefixes"
fi
exit "$status"
