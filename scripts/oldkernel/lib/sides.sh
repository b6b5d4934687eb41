# shellcheck shell=bash disable=SC2034,SC2154 # variables go between the parts that compare.sh sources
# The three sides of a comparison, each with the same schedules.

check_sides() {
    local file
    for file in "$partialfs" "$mmapstress" "$vmmodel"; do
        { [ -f "$file" ] && [ -x "$file" ]; } ||
            die "$exit_unknown" "no program $file: cmake --preset release && cmake --build build/release"
    done
    [ -w /dev/fuse ] || die "$exit_unknown" "cannot use /dev/fuse, which the partialfs mount needs"
    need python3 python3
    [ ${#way[@]} -gt 0 ] || way=(--debian)
    [ "${way[0]}" = --kernel ] || way+=(--fix undone)
}

# $temporary/list: "BLOCK PATH" for every schedule.
make_schedules() {
    local source=$schedules block count
    mkdir "$temporary/schedules"
    if [ -f "$schedules" ]; then
        if [[ $schedules == *.zst ]]; then
            need zstd zstd
            source=$temporary/recorded.jsonl
            zstd -qdc "$schedules" >"$source" || die "$exit_usage" "cannot read $schedules"
        fi
        python3 "$here/lib/schedules.py" split "$temporary/schedules" "$source" >"$temporary/list" ||
            exit "$exit_usage" # it has said why
        [ -s "$temporary/list" ] || die "$exit_usage" "no schedule in $schedules"
        return
    fi
    count=$(((schedules + 1) / 2))
    for block in $blocks; do
        [ "$count" -eq 0 ] || python3 "$here/lib/schedules.py" random "$temporary/schedules" \
            "$count" "$seed" "$block" >>"$temporary/list"
        count=$((schedules - count))
    done
}

make_prefixes() {
    local name
    mkdir "$temporary/prefix-schedules"
    head -n "$explain" "$temporary/differing" | while read -r name; do
        python3 "$here/lib/schedules.py" prefixes "$temporary/prefix-schedules" \
            "$temporary/all/schedules/$name"
    done >"$temporary/prefix-list"
}

# collect DIRECTORY LIST: all sides' answers for the schedules of LIST, for compare.py.
collect() {
    local directory=$1 list=$2 block count
    count=$(wc -l <"$list")
    mkdir -p "$directory/schedules" "$directory/partialfs"
    cp "$list" "$directory/list"
    for block in $blocks; do
        grep -q "^$block " "$list" || continue
        note "$count schedules on partialfs, block size $block"
        on_partialfs "$directory" "$block"
        note "$count schedules on the kernel, block size $block"
        on_kernel "$directory" "$block"
    done
    predicted "$directory" kernel "$(kernel_filesystem)" >"$directory/model.jsonl"
    predicted "$directory" kernel ordered >"$directory/ext3.jsonl"
    predicted "$directory" fuse ordered >"$directory/fuse.jsonl"
}

# names DIRECTORY [BLOCK]: the schedules' names, as all sides call them.
names() {
    while read -r block path; do
        [ "$block" != "${2:-$block}" ] || basename "$path"
    done <"$1/list"
}

# on_partialfs DIRECTORY BLOCK: a mount of its own; each schedule's text goes to schedules/NAME, its
# report to partialfs/NAME.json.
on_partialfs() {
    local directory=$1 block=$2 path name daemon
    mounted=$temporary/mount
    mkdir -p "$mounted" "$temporary/under"
    "$partialfs" "$temporary/under" "$mounted" --foreground --contract linux-2.6.19 \
        --flush-policy ext3 --block-size "$block" --commit-interval 0 >"$temporary/partialfs.log" 2>&1 &
    daemon=$!
    until mountpoint -q "$mounted"; do
        kill -0 "$daemon" 2>/dev/null ||
            die "$exit_unknown" "partialfs does not mount: $(tail -n 1 "$temporary/partialfs.log")"
        sleep 0.05
    done
    while read -r path; do
        name=$(basename "$path")
        "$mmapstress" replay "$mounted" "$path" --skip live --skip pread --schedule "$directory/schedules/$name" \
            --report "$directory/partialfs/$name.json" --format json >"$temporary/replay.log" 2>&1 || true
        [ -s "$directory/schedules/$name" ] ||
            die "$exit_unknown" "mmapstress cannot replay $name: $(tail -n 1 "$temporary/replay.log")"
        rm -rf "$mounted"/mmapstress.*
    done < <(sed -n "s/^$block //p" "$directory/list")
    umount "$mounted" || die "$exit_unknown" "cannot unmount $mounted"
    wait "$daemon" || die "$exit_unknown" "partialfs ended with an error: $(tail -n 1 "$temporary/partialfs.log")"
    rm -rf "$temporary/under"
}

on_kernel() {
    local directory=$1 block=$2 name arguments=() status=0
    while read -r name; do
        arguments+=(--schedule "$directory/schedules/$name")
    done < <(names "$directory" "$block")
    "$here/run.sh" "${way[@]}" "${run_options[@]}" --block-size "$block" "${arguments[@]}" \
        --json "$directory/kernel-$block.json" >"$temporary/kernel.table" 2>"$temporary/kernel.log" &
    children+=($!) # so that an end of this script ends it too
    wait $! || status=$?
    [ -s "$directory/kernel-$block.json" ] ||
        die "$([ "$status" -eq 2 ] && echo 2 || echo 3)" "$(grep -v '^run.sh: row' "$temporary/kernel.log" | tail -n 1)"
}

# What vmmodel calls the kernel's filesystem. Only ext3 of its time and reiserfs flush blocks
# themselves.
kernel_filesystem() {
    case ${way[0]}/$filesystem in
    --kernel/ext3 | --kernel/) echo ordered ;;
    */reiserfs | */) echo reiserfs ;;
    *) echo writeback ;;
    esac
}

# predicted DIRECTORY kernel|fuse FILESYSTEM: vmmodel's answer, a line for each schedule.
predicted() {
    local block path name status
    while read -r block path; do
        name=$(basename "$path") status=0
        "$vmmodel" predict --era linux-2.6.19 --filesystem "$3" --through "$2" --json \
            --block-size "$block" "$1/schedules/$name" || status=$?
        [ "$status" -le 1 ] || die "$exit_unknown" "vmmodel cannot predict $name" # 1: some are lost
    done <"$1/list"
}
