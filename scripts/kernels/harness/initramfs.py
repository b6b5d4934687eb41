"""Writes an initramfs: a gzipped cpio archive in the kernel's "newc" format.

It has everything in DIRECTORY, owned by root, and the device node /dev/console. In a real directory only root could
make that node, so this does not use cpio(1). Every kernel can decompress gzip.
"""
import gzip
import os
import stat


class Archive:
    def __init__(self, stream):
        self.stream = stream
        self.inode = 0

    def _padded(self, data):
        self.stream.write(data + b"\0" * (-len(data) % 4))

    def add(self, name, mode, data=b"", device=(0, 0)):
        self.inode += 1
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._padded(header + name.encode() + b"\0")
        self._padded(data)

    def add_tree(self, root):
        for directory, names, files in os.walk(root):
            names.sort()
            for name in sorted(names + files):
                path = os.path.join(directory, name)
                status = os.lstat(path)
                data = b""
                if stat.S_ISLNK(status.st_mode):
                    data = os.readlink(path).encode()
                elif stat.S_ISREG(status.st_mode):
                    with open(path, "rb") as file:
                        data = file.read()
                self.add(os.path.relpath(path, root), status.st_mode, data)


def write_initramfs(file, directory):
    with gzip.open(file, "wb", compresslevel=1) as stream:
        archive = Archive(stream)
        archive.add("dev", stat.S_IFDIR | 0o755)
        archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
        archive.add_tree(directory)
        archive.add("TRAILER!!!", 0)
