# shellcheck shell=bash disable=SC2034,SC2154 # variables go between the parts that run.sh sources
# Test disks: what each filesystem is made and mounted with.

filesystems="reiserfs ext2 ext3 ext4 jfs nilfs2"

# The block sizes that the filesystem's maker knows, of those that matter here.
filesystem_block_sizes() {
    case $1 in
    jfs) echo 4096 ;;
    *) echo 1024 4096 ;;
    esac
}

# A commit interval far beyond any run: only fsync commits.
filesystem_options() {
    case $1 in
    reiserfs) echo data=ordered,commit=3600 ;;
    ext3 | ext4) echo data=ordered,commit=3600 ;;
    *) echo "" ;;
    esac
}

# make_disk FILESYSTEM BLOCK_SIZE FILE: of $disk_size MiB.
make_disk() {
    local filesystem=$1 block=$2 file=$3 maker package
    case $filesystem in
    reiserfs) maker=(mkreiserfs -ff -q --format 3.6 -b "$block") package=reiserfsprogs ;;
    # What a 2.6 kernel knows: nothing newer than these features, and small inodes.
    ext2) maker=(mke2fs -q -F -t ext2 -b "$block" -I 128 -O "none,filetype") package=e2fsprogs ;;
    ext3) maker=(mke2fs -q -F -t ext3 -b "$block" -I 128 -O "none,has_journal,filetype") package=e2fsprogs ;;
    ext4) maker=(mke2fs -q -F -t ext4 -b "$block") package=e2fsprogs ;;
    jfs) maker=(mkfs.jfs -q) package=jfsutils ;;
    nilfs2) maker=(mkfs.nilfs2 -q -b "$block") package=nilfs-tools ;;
    esac
    need "${maker[0]}" "$package"
    truncate -s "${disk_size}M" "$file" ||
        die "$exit_unknown" "cannot make a disk of $disk_size MiB in $temporary: is it full?"
    PATH=$PATH:/usr/sbin:/sbin "${maker[@]}" "$file" >"$temporary/mkfs.log" 2>&1 </dev/null ||
        die "$exit_unknown" "${maker[0]} failed: $(tail -n 1 "$temporary/mkfs.log")"
}
