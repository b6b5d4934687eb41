"""Reads what QEMU's blklogwrites driver has recorded of a disk, in the format of dm-log-writes, and rebuilds the
disk as it may have been at a moment: with everything up to the last flush, and any part of the later writes."""
import random
import struct
from dataclasses import dataclass

from .base import UNKNOWN, Failure

SECTOR = 512
_MAGIC = 0x6a736677736872
_FLUSH, _DISCARD, _MARK = 1, 4, 8
_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")


@dataclass(frozen=True)
class Entry:
    sector: int
    count: int  # sectors
    flush: bool
    data: int  # offset of its bytes in the log; 0: it has none


class Log:
    """The entries of a log file, in order. A truncated log has all complete entries; `cut_short` then says where it
    ends."""

    def __init__(self, path):
        self.path = path
        self.entries = []
        self.cut_short = None
        with open(path, "rb") as file:
            self._read(file)

    def _read(self, file):
        head = file.read(SECTOR)
        if len(head) < _SUPER.size or _SUPER.unpack_from(head)[0] != _MAGIC:
            raise Failure(UNKNOWN, f"{self.path.name} is no log of blklogwrites: {len(head)} bytes, or another magic number")
        _, version, _, size = _SUPER.unpack_from(head)
        if version != 1 or size < SECTOR or size % SECTOR:
            raise Failure(UNKNOWN, f"{self.path.name}: version {version} with log sectors of {size} bytes is not known")
        end, position = file.seek(0, 2), size
        while position + size <= end:
            file.seek(position)
            sector, count, flags, _ = _ENTRY.unpack(file.read(_ENTRY.size))
            if not sector | count | flags:
                break  # the rest of the file was only preallocated
            data = 0 if flags & (_DISCARD | _MARK) or not count else position + size
            position += size + (-(-count * SECTOR // size) * size if data else 0)
            if position > end:
                self.cut_short = f"{self.path.name} ends within entry {len(self.entries)}, at byte {end}"
                break
            self.entries.append(Entry(sector, count, bool(flags & _FLUSH), data))

    def bytes_of(self, file, entry):
        file.seek(entry.data)
        return file.read(entry.count * SECTOR)


@dataclass(frozen=True)
class Cut:
    """A moment: the first `moment` entries had been given to the disk. Of the writes since the last flush, which are
    the entries from `durable` on, only `kept` had reached the disk: (entry, its sectors, or None for all)."""
    moment: int
    durable: int
    kept: tuple

    @property
    def pending(self):
        return self.moment - self.durable


_CACHE = 256  # the most entries that a disk keeps in its cache; older ones are on the disk, flushed or not


def certain(entries, moment):
    """How many of the first `moment` entries are certainly on the disk: all up to the last flush, and those that its
    cache no longer holds."""
    oldest = max(0, moment - _CACHE)
    return next((number for number in range(moment, oldest, -1) if entries[number - 1].flush), oldest)


def choose_cuts(entries, count, seed, *, first, always, lies=0):
    """`count` moments from entry `first` on: half of them right at a flush, the others anywhere, with any part of
    the writes under way. `always(entry)`: whether it survives every cut, as it belongs to the notebook. `lies`: the
    number of latest writes that the disk has not flushed, whatever it reported."""
    dice = random.Random(seed)
    flushes = [number + 1 for number in range(first, len(entries)) if entries[number].flush]
    cuts = []
    for number in range(count):
        at_flush = number % 2 == 0 and flushes and not lies
        moment = dice.choice(flushes) if at_flush else dice.randint(first, len(entries))
        durable = max(0, moment - lies) if lies else certain(entries, moment)
        cuts.append(Cut(moment, durable, tuple(_survivors(entries, durable, moment, dice, always))))
    return sorted(cuts, key=lambda cut: (cut.durable, cut.moment))


def _survivors(entries, durable, moment, dice, always):
    share = dice.choice((0.2, 0.5, 0.8))
    for number in range(durable, moment):
        entry = entries[number]
        if not entry.data:
            continue
        if always(entry) or dice.random() < share:
            yield number, None
        elif entry.count > 1 and dice.random() < 0.2:
            yield number, tuple(sorted(dice.sample(range(entry.count), dice.randint(1, entry.count - 1))))


class Rebuilder:
    """A disk image that moves forward through the log: advance() writes what is certain, add_pending() the rest of a
    cut, to a copy."""

    def __init__(self, log, image):
        self.log = log
        self.image = image
        self.done = 0

    def advance(self, durable):
        with open(self.log.path, "rb") as source, open(self.image, "r+b") as disk:
            for entry in self.log.entries[self.done:durable]:
                if entry.data:
                    disk.seek(entry.sector * SECTOR)
                    disk.write(self.log.bytes_of(source, entry))
        self.done = max(self.done, durable)

    def add_pending(self, cut, image):
        with open(self.log.path, "rb") as source, open(image, "r+b") as disk:
            for number, sectors in cut.kept:
                entry = self.log.entries[number]
                data = self.log.bytes_of(source, entry)
                for sector in range(entry.count) if sectors is None else sectors:
                    disk.seek((entry.sector + sector) * SECTOR)
                    disk.write(data[sector * SECTOR:(sector + 1) * SECTOR])
