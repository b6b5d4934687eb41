"""The disk of a power cut: a partition with the filesystem, and one, the notebook, for mmapstress' own report. The
notebook belongs to the observer and loses nothing: it is mounted without flushes, and all that was written there
before the cut is there after it."""
import errno
import os
import shutil
import struct

from .base import command, need
from .blklog import SECTOR
from .filesystems import make_disk

_START = 2048  # sectors, where the first partition begins
_NOTEBOOK = 16 << 20
_MBR = struct.Struct("<B3sB3sII")


def copy_data(source, target, offset=0):
    """Copies the data of `source`, without its holes, to `offset` of `target`, which exists."""
    with open(source, "rb") as read, open(target, "r+b") as write:
        end, position = os.fstat(read.fileno()).st_size, 0
        while position < end:
            try:
                position = os.lseek(read.fileno(), position, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # only a hole remains
                    return
                raise
            hole = os.lseek(read.fileno(), position, os.SEEK_HOLE)
            read.seek(position)
            write.seek(offset + position)
            while position < hole:
                block = read.read(min(1 << 20, hole - position))
                write.write(block)
                position += len(block)


def _partition_table(sizes):
    table, start = bytearray(SECTOR), _START
    for number, size in enumerate(sizes):
        _MBR.pack_into(table, 446 + 16 * number, 0, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", start, size // SECTOR)
        start += size // SECTOR
    table[510:] = b"\x55\xaa"
    return bytes(table)


class CutDisk:
    """Makes the image `path`. `is_notebook` tells whether a log entry belongs to the notebook."""

    def __init__(self, filesystem, block, path, mebibytes):
        part = path.with_suffix(".part")
        make_disk(filesystem, block, part, mebibytes)
        size = part.stat().st_size
        self.notebook = _START + size // SECTOR  # its first sector
        # Offset and length of both partitions, in bytes.
        self.partitions = ((_START * SECTOR, size), (self.notebook * SECTOR, _NOTEBOOK))
        with open(path, "wb") as disk:
            disk.write(_partition_table((size, _NOTEBOOK)))
            disk.truncate((self.notebook * SECTOR) + _NOTEBOOK)
        copy_data(part, path, _START * SECTOR)
        need("mke2fs", "e2fsprogs")
        with open(part, "wb") as notebook:
            notebook.truncate(_NOTEBOOK)
        command(["mke2fs", "-q", "-F", "-t", "ext2", "-O", "none,filetype", part], 60, "mke2fs failed")
        copy_data(part, path, self.notebook * SECTOR)
        part.unlink()

    def is_notebook(self, entry):
        return entry.sector >= self.notebook


def copy_image(source, target):
    """A copy with the same holes."""
    with open(target, "wb") as file:
        file.truncate(source.stat().st_size)
    copy_data(source, target)
    shutil.copymode(source, target)
