"""Test disks: what each filesystem is made and mounted with."""
from dataclasses import dataclass

from .base import command, need


@dataclass(frozen=True)
class Filesystem:
    name: str
    maker: tuple  # the command that makes one; {block} is the block size, the disk comes last
    package: str  # of Debian, which has that command
    blocks: tuple = (1024, 4096)  # the block sizes that the maker knows, of those that matter here
    options: str = ""  # of the mount
    module: str = ""  # of the kernel that serves it; default: its name

    @property
    def modules(self):
        return (self.module or self.name,)


# A commit interval far beyond any run: only fsync commits.
_ORDERED = "data=ordered,commit=3600"
# What a 2.6 kernel knows: nothing newer than these features, and small inodes.
_MKE2FS = ("mke2fs", "-q", "-F", "-b", "{block}")
FILESYSTEMS = {filesystem.name: filesystem for filesystem in (
    Filesystem("reiserfs", ("mkreiserfs", "-ff", "-q", "--format", "3.6", "-b", "{block}"),
               "reiserfsprogs", options=_ORDERED),
    # Debian's ext4 serves ext2 and ext3, too.
    Filesystem("ext2", (*_MKE2FS, "-t", "ext2", "-I", "128", "-O", "none,filetype"), "e2fsprogs",
               module="ext4"),
    Filesystem("ext3", (*_MKE2FS, "-t", "ext3", "-I", "128", "-O", "none,has_journal,filetype"),
               "e2fsprogs", options=_ORDERED, module="ext4"),
    Filesystem("ext4", (*_MKE2FS, "-t", "ext4"), "e2fsprogs", options=_ORDERED),
    Filesystem("jfs", ("mkfs.jfs", "-q"), "jfsutils", blocks=(4096,)),
    Filesystem("nilfs2", ("mkfs.nilfs2", "-q", "-b", "{block}"), "nilfs-tools"),
)}


def make_disk(filesystem, block, file, mebibytes):
    """A file of that many MiB with the filesystem in it."""
    need(filesystem.maker[0], filesystem.package)
    with open(file, "wb") as disk:
        disk.truncate(mebibytes << 20)
    command([*(word.format(block=block) for word in filesystem.maker), file], 300,
            f"{filesystem.maker[0]} failed")
