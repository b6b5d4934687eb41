"""Test disks: how each filesystem is made and mounted, and what is mounted over it."""
from dataclasses import dataclass, replace

from .base import UNKNOWN, Failure, command, need


@dataclass(frozen=True)
class Filesystem:
    name: str
    maker: tuple  # the mkfs command; {block} is the block size, the disk comes last
    package: str  # Debian's package with that command
    blocks: tuple = (1024, 4096)  # the block sizes that the command accepts, of those that matter here
    options: str = ""  # mount options
    type: str = ""  # its type for mount(2); default: its name
    modules: tuple = ()  # the kernel modules for it; default: its type
    mebibytes: int = 0  # the smallest disk that the command accepts
    tier: int = 1  # 1: in the matrix
    is_device: bool = False  # no filesystem: mmapstress stores into the disk itself
    is_flash: bool = False  # the disk is a flash chip, which its first mount formats
    over: str = ""  # what is mounted over it, to run on: overlay, partialfs, nfs, or one of DAEMONS
    over_options: str = ""  # mount options of that
    cannot: str = ""  # why it cannot be made here

    @property
    def mount_type(self):
        return self.type or self.name

    @property
    def needed_modules(self):
        return () if self.is_device else self.modules or (self.mount_type,)

    @property
    def is_on_disk(self):
        """Whether it writes to a disk of its own, past the page cache of the disk's device, so that a power cut there
        is one for the filesystem."""
        return not (self.over or self.is_device or self.is_flash or self.cannot)


# A commit interval far longer than any run: only fsync commits.
_ORDERED = "data=ordered,commit=3600"
_MKE2FS = ("mke2fs", "-q", "-F", "-b", "{block}")
_EXT4 = Filesystem("ext4", (*_MKE2FS, "-t", "ext4"), "e2fsprogs", options=_ORDERED)
# Only features that a 2.6 kernel knows, and small inodes. Debian's ext4 mounts both.
_EXT3 = Filesystem("ext3", (*_MKE2FS, "-t", "ext3", "-I", "128", "-O", "none,has_journal,filetype"), "e2fsprogs",
                   options=_ORDERED, modules=("ext4",))
_XFS = Filesystem("xfs", ("mkfs.xfs", "-q", "-f", "-b", "size={block}", "-m", "reflink=0"), "xfsprogs", mebibytes=320)
_BTRFS = Filesystem("btrfs", ("mkfs.btrfs", "-q", "-f"), "btrfs-progs", blocks=(4096,), options="commit=3600",
                    mebibytes=256)
_F2FS = Filesystem("f2fs", ("mkfs.f2fs", "-q", "-f"), "f2fs-tools", blocks=(4096,), mebibytes=256)
_NLS = ("nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8")


def _variants(filesystem, tier=1, **variants):
    """The filesystem with other options or another maker, as NAME-VARIANT."""
    return [replace(filesystem, **({"name": f"{filesystem.name}-{name}", "type": filesystem.mount_type, "tier": tier,
                                    "modules": filesystem.needed_modules} | changes))
            for name, changes in variants.items()]


def _journal_modes(filesystem):
    return _variants(filesystem, **{mode: {"options": f"data={mode},commit=3600"} for mode in ("journal", "writeback")})


def _ext4_with(feature, **more):
    return {"maker": (*_EXT4.maker, "-O", feature), "blocks": (4096,), **more}


def _made_with(filesystem, *words, **more):
    return {"maker": (*filesystem.maker, *words), **more}


def _over_ext4(name, *modules, tier=2, **more):
    """What is mounted over an ext4, and called as it is."""
    return replace(_EXT4, **({"name": name, "type": "ext4", "modules": ("ext4", *modules), "blocks": (4096,),
                              "over": name, "tier": tier} | more))


# Programs that make what is mounted at /under out of the disk at /mnt, and their arguments.
DAEMONS = {
    "bindfs": ("bindfs", "-f", "/mnt", "/under"),
    "9p": ("diod", "--foreground", "--no-auth", "--config-file", "/dev/null", "--logdest", "stderr", "--export", "/mnt",
           "--rfdno", "100", "--wfdno", "100"),  # kServerEnd of guest/under.c
}

_9P = _over_ext4("9p", "9pnet_fd", "9p", over_options="cache=loose,msize=65536")

FILESYSTEMS = {filesystem.name: filesystem for filesystem in (
    Filesystem("reiserfs", ("mkreiserfs", "-ff", "-q", "--format", "3.6", "-b", "{block}"), "reiserfsprogs",
               options=_ORDERED),
    Filesystem("ext2", (*_MKE2FS, "-t", "ext2", "-I", "128", "-O", "none,filetype"), "e2fsprogs", modules=("ext4",)),
    _EXT3, *_journal_modes(_EXT3),
    _EXT4, *_journal_modes(_EXT4),
    _XFS,
    _BTRFS, *_variants(_BTRFS, zstd={"options": "commit=3600,compress-force=zstd"},
                       nodatacow={"options": "commit=3600,nodatacow"}),
    _F2FS,
    Filesystem("nilfs2", ("mkfs.nilfs2", "-q", "-b", "{block}"), "nilfs-tools"),
    Filesystem("jfs", ("mkfs.jfs", "-q"), "jfsutils", blocks=(4096,)),
    # The block size is that of a cluster; for vfat it is that of a sector, as its buffers have the size of sectors.
    Filesystem("vfat", ("mkfs.vfat", "-S", "{block}"), "dosfstools", modules=(*_NLS, "vfat")),
    Filesystem("exfat", ("mkfs.exfat", "-c", "{block}"), "exfatprogs", modules=(*_NLS, "exfat"), blocks=(4096,)),
    Filesystem("ntfs3", ("mkntfs", "-q", "-F", "-f", "-c", "{block}"), "ntfs-3g", modules=(*_NLS, "ntfs3")),
    _over_ext4("overlayfs", "overlay", tier=1, over="overlay"), _over_ext4("partialfs", "fuse", tier=1),
    _over_ext4("bindfs", "fuse", tier=1),
    *_variants(_EXT4, 2, bigalloc=_ext4_with("bigalloc"), inline_data=_ext4_with("inline_data"),
               fast_commit=_ext4_with("fast_commit"),
               nodelalloc={"options": f"{_ORDERED},nodelalloc", "blocks": (4096,)}),
    *_variants(_XFS, 2, reflink={"maker": (*_XFS.maker[:-1], "reflink=1")}),
    *_variants(_F2FS, 2, lfs={"options": "mode=lfs"},
               compression=_made_with(_F2FS, "-O", "extra_attr,compression", options="compress_algorithm=lz4,"
                                      "compress_extension=*", modules=("lz4_compress", "f2fs"))),
    Filesystem("udf", ("mkudffs", "-b", "{block}"), "udftools", modules=(*_NLS, "udf"), tier=2),
    Filesystem("gfs2", ("mkfs.gfs2", "-q", "-O", "-p", "lock_nolock", "-b", "{block}"), "gfs2-utils",
               blocks=(1024, 4096), mebibytes=256, tier=2),
    Filesystem("ocfs2", ("mkfs.ocfs2", "-q", "-F", "-M", "local", "-b", "{block}"), "ocfs2-tools",
               modules=("ocfs2", "ocfs2_stackglue"), mebibytes=256, tier=2),
    Filesystem("blockdev", (), "", blocks=(512, 1024, 2048, 4096), mebibytes=64, tier=2, is_device=True),
    # Its compressors are modules, too, and no modprobe fetches them in the guest.
    Filesystem("ubifs", (), "", blocks=(4096,), modules=("lzo", "deflate", "zstd", "block2mtd", "ubifs"), tier=2,
               is_flash=True),
    _9P, *_variants(_9P, 2, mmap={"over_options": "cache=mmap,msize=65536"}),
    _over_ext4("nfs", "nfsd", "nfsv4"),
    Filesystem("hfsplus", (), "", tier=2, cannot="Debian has no mkfs for it"),
)}


def make_disk(filesystem, block, file, mebibytes):
    """A file with the filesystem in it, of `mebibytes` MiB, or more if the filesystem needs it."""
    if filesystem.cannot:
        raise Failure(UNKNOWN, f"{filesystem.name}: {filesystem.cannot}")
    if filesystem.is_device:
        # The kernel takes the largest block size that divides the disk's.
        with open(file, "wb") as disk:
            disk.truncate((filesystem.mebibytes << 20) + block % 4096)
        return
    if filesystem.is_flash:
        with open(file, "wb") as disk:
            for _ in range(max(mebibytes, filesystem.mebibytes)):
                disk.write(b"\xff" * (1 << 20))
        return
    need(filesystem.maker[0], filesystem.package)
    with open(file, "wb") as disk:
        disk.truncate(max(mebibytes, filesystem.mebibytes) << 20)
    command([*(word.format(block=block) for word in filesystem.maker), file], 300,
            f"{filesystem.maker[0]} failed")
