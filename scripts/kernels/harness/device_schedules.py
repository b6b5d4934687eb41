"""Random schedules for a block device, as lines in the format of tests/golden. The effect of each operation depends
only on the operations before it."""
import json
import random

PAGE = 4096
BLOCKS = (512, 1024, 2048)  # more than one block a page


class DeviceMaker:
    def __init__(self, seed, block):
        self.dice = random.Random(f"{block}-{seed}")
        self.seed = seed
        self.block = block
        self.ops = []
        self.size = self.dice.randint(1, 4) * PAGE - self.dice.choice((0, 0, 0, 512, 700))
        self.pages = -(-self.size // PAGE)
        self.hot = self.dice.randrange(self.pages)

    def add(self, name, **fields):
        self.ops.append({"op": name, **fields})

    def range(self, longest):
        """A range in the page where most happens, of whole blocks, or anywhere."""
        dice, room = self.dice, self.size - self.hot * PAGE
        if dice.random() < 0.6:
            offset = self.hot * PAGE + dice.randrange(min(PAGE, room))
            length = dice.randint(1, longest)
        elif dice.random() < 0.6:
            offset = dice.randrange(self.size // self.block) * self.block
            length = self.block * dice.randint(1, 3)
        else:
            offset, length = dice.randrange(self.size), dice.randint(1, longest)
        return {"off": offset, "len": min(length, self.size - offset)}

    def pages_of_it(self):
        first = self.dice.randrange(self.pages)
        length = PAGE * self.dice.randint(1, self.pages - first)
        return {"off": first * PAGE, "len": min(length, self.size - first * PAGE)}

    def content(self):
        # Never the value of the previous operation or of the start: a lost byte is always visible.
        return {"v": len(self.ops) % 250 + 1}

    def store(self):
        self.add("store", **self.content(), file=0, map=self.dice.choice((0, 0, 0, 1)), **self.range(900))

    def write(self):
        self.add("pwrite", **self.content(), file=0, **self.range(900))

    def write_page(self):
        first = self.dice.randrange(self.pages) * PAGE
        self.add("pwrite", **self.content(), file=0, off=first, len=min(PAGE, self.size - first))

    def fork_store(self):
        self.add("fork_store", **self.content(), file=0, map=0, **self.range(300))

    def flush(self):
        kind = self.dice.choice(("fsync", "fdatasync", "msync", "msync", "sync_file_range", "sync_file_range"))
        if kind == "msync" and self.dice.random() < 0.5:
            self.add(kind, file=0, map=0, **self.pages_of_it())
        elif kind == "sync_file_range":
            self.add(kind, file=0, **self.pages_of_it())
        else:
            self.add(kind, file=0, **({"map": 0} if kind == "msync" else {}))

    def evict(self):
        self.add("evict", file=0)

    def read(self):
        kind = self.dice.choice(("pread", "read_fault"))
        where = self.range(900)
        self.add(kind, file=0, **(where if kind == "pread" else {"off": where["off"], "map": 0}))

    def mapping(self):
        kind = self.dice.choice(("munmap", "remap", "mprotect_ro_rw", "madvise_dontneed"))
        self.add(kind, file=0, map=0, **(self.pages_of_it() if kind == "madvise_dontneed" else {}))

    def line(self, kernel=""):
        """A recorded schedule without its damage."""
        steps = ((self.store, 42), (self.write, 14), (self.write_page, 3), (self.fork_store, 2), (self.flush, 18),
                 (self.evict, 8), (self.read, 8), (self.mapping, 5))
        for step in self.dice.choices([s for s, _ in steps], [w for _, w in steps], k=self.dice.randint(4, 30)):
            step()
        if not any(op["op"] in ("store", "pwrite", "fork_store") for op in self.ops):
            self.store()  # otherwise there is nothing to check
        return json.dumps({
            "kernel": kernel, "block": self.block, "id": f"{self.block}-{self.seed}", "files": 1, "size": self.size,
            "start": self.dice.choice(("written", "written+fsync", "written+fsync", "sparse")),
            "end": self.dice.choice(("fsync,munmap,fsync", "munmap,fsync")), "ops": self.ops, "damage": []},
            separators=(",", ":")) + "\n"


def device_lines(count, first_seed):
    """`count` schedules, with the block sizes in turn."""
    return [DeviceMaker(first_seed + number // len(BLOCKS), BLOCKS[number % len(BLOCKS)]).line()
            for number in range(count)]
