# shellcheck shell=bash disable=SC2034,SC2154 # variables go between the parts that run.sh sources
# A partialfs inside the guest, over the test disk. Debian has no static spdlog, so the program goes
# into the initramfs as it was built here, with its libraries.

# find_partialfs: sets $partialfs_program unless it was given.
find_partialfs() {
    local candidate
    [ -n "$contracts" ] || return 0
    if [ -n "$partialfs_program" ]; then
        { [ -x "$partialfs_program" ] && [ -f "$partialfs_program" ]; } ||
            die "$exit_usage" "--partialfs-program: no program $partialfs_program"
        return
    fi
    for candidate in "$here"/../../build/release/fusefs/partialfs "$(command -v partialfs)"; do
        if [ -x "$candidate" ]; then
            partialfs_program=$candidate
            return
        fi
    done
    die "$exit_unknown" "no partialfs was built: cmake --preset release && cmake --build build/release --target partialfs"
}

# add_partialfs ROOT CONTRACT BLOCK_SIZE
add_partialfs() {
    local root=$1
    [ -z "$kernel_modules" ] || add_module "$root" fuse
    copy_program "$partialfs_program" "$root"
    mkdir -p "$root/partialfs"
    # No timer: only fsync commits, as on the filesystems of the kernel.
    printf '%s\n' "/bin/$(basename "$partialfs_program")" /mnt /under --foreground --contract "$2" \
        --block-size "$3" --commit-interval 0 >"$root/partialfs/argv"
}
