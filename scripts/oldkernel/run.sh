#!/usr/bin/env bash
# Boots a kernel in QEMU, runs mmapstress inside on a real filesystem of that kernel, and reports
# the damage: the bug of Linux 2.6.19 as it was, and the fix.
#
#   scripts/oldkernel/run.sh [--debian]          Debian's kernel 6.1 with the fix undone by a module
#   scripts/oldkernel/run.sh --kernel IMAGE      a kernel of yours: 2.6.19, 2.6.20, ...
#   scripts/oldkernel/run.sh --source            Linux 6.1 built here with and without the fix
#   scripts/oldkernel/run.sh --matrix            every filesystem of --debian, fix undone and present
#
# What is run:
#   --workload NAME      recipe (default), linus, torrent, apt, mix or pressure
#   --seeds N | A-B      one run for each seed (default 10: seeds 1 to 10)
#   --size SIZE, --files N, --ops N, --duration TIME
#                        the workload's, as mmapstress run has them
#   --engine FILE        a static program built before from tools/mmapstress, in place of building it
#   --schedule FILE      run this schedule of mmapstress instead, or that of this report (may be given
#                        often; for recorded ones, .jsonl, see compare.sh)
# On what:
#   --fs LIST            reiserfs, ext2, ext3, ext4, jfs, nilfs2; comma-separated
#                        (default reiserfs; with --kernel ext3)
#   --block-size LIST    1024, 4096 (default both)
#   --fix undone|present|both
#                        with --debian and --source (default both); a kernel of yours is as built
#   --partialfs LIST     put a partialfs with this contract (linux-2.6.19, linux-2.6.20 or both)
#                        over the filesystem inside the guest, and run on that
#   --partialfs-program FILE
#                        that partialfs (default: build/release's, or the installed one)
#   --background-writeback
#                        leave the kernel's own writeback timers on (they are stretched to an hour,
#                        so that only the schedule decides what is written when)
# What is expected:
#   --expect [ROW=]damage|clean
#                        ROW is a pattern for FILESYSTEM/BLOCK/FIX, such as 'reiserfs/*/undone';
#                        without it: every row. The last that matches counts. Default: clean, but
#                        damage for recipe and linus on reiserfs with the fix undone, and for these
#                        and mix on partialfs with linux-2.6.19; nothing for other workloads there,
#                        and nothing with --kernel: then any answer is good, as long as there is one
# The machine:
#   --smp N              processors (default 1)
#   --memory MiB         (default 512)
#   --bus virtio|ide     the test disk (default virtio; with --kernel ide)
#   --disk MiB           size of the test disk (default 192)
#   --append WORDS       more words for the kernel's command line
#   --kvm                use /dev/kvm (default: QEMU's own translator, which runs everywhere)
#   --timeout SECONDS    for each run (default 120)
#   --shell              no runs: a shell in the guest, on this terminal
# The result:
#   --format table|json|ktap   on standard output (default table)
#   --json FILE, --ktap FILE   also there
#   --keep               keep the temporary directory: consoles, disks, initramfs
#   --verbose            say what is being done
#   --cache DIR          default ${XDG_CACHE_HOME:-~/.cache}/partialfs-oldkernel
#   --jobs N             boots at the same time (default: one for each processor)
#   --check              only say whether what --debian needs is there
#
# Exit code: 0 every row as expected, 1 a row is not, 2 usage, 3 could not tell: no QEMU, a panic, a
# timeout, a report that did not arrive.
set -euo pipefail
# shellcheck disable=SC2034 # variables go between this and its parts in lib/

program=run.sh
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck source=scripts/oldkernel/lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=scripts/oldkernel/lib/options.sh
. "$here/lib/options.sh"
# shellcheck source=scripts/oldkernel/lib/debian_kernel.sh
. "$here/lib/debian_kernel.sh"
# shellcheck source=scripts/oldkernel/lib/source_kernel.sh
. "$here/lib/source_kernel.sh"
# shellcheck source=scripts/oldkernel/lib/disk.sh
. "$here/lib/disk.sh"
# shellcheck source=scripts/oldkernel/lib/engine.sh
. "$here/lib/engine.sh"
# shellcheck source=scripts/oldkernel/lib/guest.sh
. "$here/lib/guest.sh"
# shellcheck source=scripts/oldkernel/lib/partialfs.sh
. "$here/lib/partialfs.sh"
# shellcheck source=scripts/oldkernel/lib/boot.sh
. "$here/lib/boot.sh"
# shellcheck source=scripts/oldkernel/lib/row.sh
. "$here/lib/row.sh"
# shellcheck source=scripts/oldkernel/lib/shell.sh
. "$here/lib/shell.sh"

way=debian kernel_image='' kernel_modules='' kernel_release=''
matrix=false shell=false check=false
engine='' workload=recipe seeds=10 schedules=() engine_settings=() natural=false
fs_list='' block_list=1024,4096 fix='' contracts='' partialfs_program=''
expectations=()
smp=1 memory=512 disk_size=192 bus='' append='' kvm=false timeout=120
format=table json_file='' ktap_file='' keep=false verbose=false jobs=$(nproc)
cache_directory=${XDG_CACHE_HOME:-$HOME/.cache}/partialfs-oldkernel

print_help() { sed -n '2,/^set -euo/{/^set -euo/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

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
    --debian) way=debian ;;
    --source) way=source ;;
    --matrix) matrix=true ;;
    --shell) shell=true ;;
    --check) check=true ;;
    --kvm) kvm=true ;;
    --keep) keep=true ;;
    --verbose) verbose=true ;;
    --background-writeback) natural=true ;;
    -h | --help)
        print_help
        exit 0
        ;;
    --kernel | --workload | --seeds | --size | --files | --ops | --duration | --schedule | --fs | \
        --block-size | --fix | --partialfs | --expect | --smp | --memory | --disk | --bus | --append | \
        --timeout | --format | --json | --ktap | --cache | --jobs | --engine | \
        --partialfs-program)
        [ $# -gt 0 ] || usage_error "$option needs a value"
        value=$1
        shift
        case $option in
        --kernel) way=kernel kernel_image=$value ;;
        --workload) workload=$value ;;
        --seeds) seeds=$value ;;
        --size | --files | --ops | --duration)
            name=${option#--}
            engine_settings+=("MMAPSTRESS_${name^^}=$value")
            ;;
        --schedule) schedules+=("$value") ;;
        --fs) fs_list=$value ;;
        --block-size) block_list=$value ;;
        --fix) fix=$value ;;
        --partialfs) contracts=$value ;;
        --expect) expectations+=("$value") ;;
        --smp) smp=$value ;;
        --memory) memory=$value ;;
        --disk) disk_size=$value ;;
        --bus) bus=$value ;;
        --append) append=$value ;;
        --timeout) timeout=$value ;;
        --format) format=$value ;;
        --json) json_file=$value ;;
        --ktap) ktap_file=$value ;;
        --cache) cache_directory=$value ;;
        --jobs) jobs=$value ;;
        --engine) engine=$value ;;
        --partialfs-program) partialfs_program=$value ;;
        esac
        ;;
    *) usage_error "unknown option '$option'" ;;
    esac
done

check_options
$check && note_what_is_missing
list_rows
need qemu-system-x86_64 qemu-system-x86
set_cache "$cache_directory"
make_temporary
need_room "$temporary" 500
find_partialfs
build_init
build_engine
prepare_kernel
if $shell; then
    run_shell
    exit 0
fi
run_rows
report_rows
