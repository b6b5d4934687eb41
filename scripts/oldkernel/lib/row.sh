# shellcheck shell=bash disable=SC2034,SC2154 # variables go between the parts that run.sh sources
# Rows: one row is one boot, of a kernel with one filesystem, block size and fix, and several runs.
# A row is written FILESYSTEM/BLOCK/FIX[/CONTRACT].

# Sets kernel_image and its companions for the way chosen.
prepare_kernel() {
    case $way in
    debian) use_debian_kernel ;;
    source) use_source_kernels ;;
    esac
}

list_rows() {
    local filesystem block one_fix contract fixes default_fs=reiserfs
    fixes=${fix:-both}
    if [ "$way" = kernel ]; then
        fixes=unknown default_fs=ext3
    fi
    if [ -n "$contracts" ]; then
        default_fs=ext4
        [ "$block_list" != 1024,4096 ] || block_list=4096
        [ -n "$fix" ] || [ "$way" = kernel ] || fixes=present
    fi
    [ "$fixes" != both ] || fixes="undone present"
    $matrix && default_fs=$filesystems
    fs_list=${fs_list:-$default_fs}
    rows=()
    for filesystem in ${fs_list//,/ }; do
        for block in ${block_list//,/ }; do
            # shellcheck disable=SC2046
            in_list "$block" $(filesystem_block_sizes "$filesystem") || continue
            for one_fix in $fixes; do
                for contract in ${contracts:-none}; do
                    rows+=("$filesystem/$block/$one_fix/$contract")
                done
            done
        done
    done
    [ ${#rows[@]} -gt 0 ] || usage_error "$fs_list has no block size of $block_list"
}

# expectation ROW: prints damage, clean or nothing.
expectation() {
    local filesystem block one_fix contract word result=''
    IFS=/ read -r filesystem block one_fix contract <<<"$1"
    # Workloads that are sure to lose something where something can be lost. Of reiserfs: only
    # blocks that a write(2) has just allocated join its ordered list, and these write into holes.
    case $way/$contract/$filesystem/$one_fix/$(workload_name) in
    */linux-2.6.19/*/recipe | */linux-2.6.19/*/linus | */linux-2.6.19/*/mix) result=damage ;;
    */linux-2.6.19/*) ;;
    */linux-2.6.20/*) result=clean ;;
    kernel/*) ;;
    */none/reiserfs/undone/recipe | */none/reiserfs/undone/linus) result=damage ;;
    */none/reiserfs/undone/*) ;;
    *) result=clean ;;
    esac
    for word in "${expectations[@]}"; do
        case $word in
        *=*)
            # shellcheck disable=SC2053
            [[ $filesystem/$block/$one_fix == ${word%=*} || $1 == ${word%=*} ]] && result=${word##*=}
            ;;
        *) result=$word ;;
        esac
    done
    echo "$result"
}

# The runs of a row: labels, and for each the schedule or the seed.
run_labels() {
    local first last
    if [ ${#schedules[@]} -gt 0 ]; then
        printf '%s\n' "${schedules[@]##*/}"
        return
    fi
    first=1 last=$seeds
    [[ $seeds != *-* ]] || { first=${seeds%-*} last=${seeds#*-}; }
    seq "$first" "$last"
}

# description ROW: what results.py is told of the row, as JSON.
description() {
    local filesystem block one_fix contract
    IFS=/ read -r filesystem block one_fix contract <<<"$1"
    run_labels | python3 -c '
import json, sys
keys = ("way", "kernel", "filesystem", "block_size", "fix", "contract", "workload", "smp", "expect")
row = {key: value or None for key, value in zip(keys, sys.argv[1:])}
row["block_size"] = int(row["block_size"])
row["smp"] = int(row["smp"])
row["runs"] = sys.stdin.read().splitlines()
row["verify"] = True
json.dump(row, sys.stdout)' "$way" "$kernel_release" "$filesystem" "$block" "$one_fix" \
        "${contract#none}" "$(workload_name)" "$smp" "$(expectation "$1")"
}

workload_name() {
    if [ ${#schedules[@]} -gt 0 ]; then echo replay; else echo "$workload"; fi
}

# mkclean_for FIX: the module that a kernel of Debian is given.
mkclean_for() {
    case $way/$1 in
    debian/undone) echo mkclean_lost ;;
    debian/present) echo mkclean_kept ;;
    esac
}

# image_for FIX
image_for() {
    case $way in
    source) echo "$source_images/$1/bzImage" ;;
    *) echo "$kernel_image" ;;
    esac
}

# run_row NUMBER: boots one row and writes its result to $temporary/row-NUMBER.json.
run_row() {
    local number=$1 row=${rows[$1]} filesystem block one_fix contract status=0 count
    local work=$temporary/work-$1
    trap 'stop_children; exit 143' INT TERM HUP
    IFS=/ read -r filesystem block one_fix contract <<<"$row"
    note "row $((number + 1)) of ${#rows[@]}: $filesystem, $block-byte blocks, fix $one_fix"
    mkdir -p "$work/root"
    make_disk "$filesystem" "$block" "$work/disk"
    guest_root "$work/root" "$filesystem" "$(mkclean_for "$one_fix")"
    count=$(add_runs "$work/root")
    setting "$work/root" fs "$filesystem"
    setting "$work/root" options "$(filesystem_options "$filesystem")"
    setting "$work/root" timeout "$timeout"
    setting "$work/root" runs "$count"
    $natural && setting "$work/root" writeback 1
    [ "$contract" = none ] || add_partialfs "$work/root" "$contract" "$block"
    make_initramfs "$work/root" "$work/initramfs"
    boot "$(image_for "$one_fix")" "$work/initramfs" "$work/disk" "$work/console" \
        $((60 + count * (2 * timeout + 60))) || status=$?
    description "$row" | python3 "$here/lib/results.py" "$work/console" "$status" "$temporary/row-$number.json" ||
        die "$exit_unknown" "cannot read what the guest said in $work/console"
    $keep || rm -rf "$work"
}

# All rows, $jobs at a time.
run_rows() {
    local number running=0 failed=0
    for number in "${!rows[@]}"; do
        if [ "$running" -ge "$jobs" ]; then
            wait -n || failed=$?
            running=$((running - 1))
        fi
        [ "$failed" -eq 0 ] || break
        run_row "$number" &
        running=$((running + 1))
    done
    while [ "$running" -gt 0 ]; do
        wait -n || failed=$?
        running=$((running - 1))
    done
    [ "$failed" -eq 0 ] || exit "$failed" # it has said why
}

report_rows() {
    local files=() number status=0
    for number in "${!rows[@]}"; do
        files+=("$temporary/row-$number.json")
    done
    python3 "$here/lib/report.py" --format "$format" ${json_file:+--json "$json_file"} \
        ${ktap_file:+--ktap "$ktap_file"} "${files[@]}" || status=$?
    exit "$status"
}
