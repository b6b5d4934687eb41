#!/usr/bin/python3
"""Drives rtorrent for scripts/apps/rtorrent.app: makes a torrent, seeds, downloads, checks from disk.

  rtorrent.py make PAYLOAD TORRENT MEBIBYTES    write a payload that never changes and its metainfo
  rtorrent.py download PAYLOAD TORRENT DIR KBPS SCRATCH
                                                seed PAYLOAD from where it is, download it into DIR
                                                at no more than KBPS KiB/s, over 127.0.0.1
  rtorrent.py check DIR TORRENT SCRATCH         have rtorrent hash the files in DIR; exit 1 if a
                                                piece is bad

rtorrent gets its commands over SCGI on a Unix socket (XML-RPC in a netstring frame). The two
clients meet by add_peer: the announce URL leads nowhere, as libtorrent keeps only one peer for
each IP address that a tracker names, and here both would have the same.
"""

import hashlib
import os
import random
import socket
import subprocess
import sys
import time
import xmlrpc.client

PIECE = 256 * 1024
STEP_TIMEOUT = 120  # seconds that any single thing may take


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, dict):
        return b"d" + b"".join(bencode(k) + bencode(v) for k, v in sorted(value.items())) + b"e"
    raise TypeError(type(value))


def make(payload, torrent, mebibytes):
    """Random bytes, the same each time; a zero or stale byte is then very unlikely to pass for the right one."""
    source = random.Random(2006)
    pieces = []
    with open(payload, "wb") as out:
        for _ in range(mebibytes * 1024 * 1024 // PIECE):
            piece = source.randbytes(PIECE)
            pieces.append(hashlib.sha1(piece).digest())
            out.write(piece)
    info = {"name": os.path.basename(payload), "length": mebibytes * 1024 * 1024,
            "piece length": PIECE, "pieces": b"".join(pieces)}
    with open(torrent, "wb") as out:
        out.write(bencode({"announce": "http://127.0.0.1:9/announce", "info": info}))


def info_hash(torrent):
    with open(torrent, "rb") as source:
        data = source.read()
    start = data.index(b"4:info") + len(b"4:info")
    return hashlib.sha1(data[start:-1]).hexdigest().upper()


class Rtorrent:
    """One rtorrent process without a terminal, reachable over its SCGI socket."""

    def __init__(self, name, directory, scratch, *options):
        self.name = name
        self.socket_path = os.path.join(scratch, name + ".sock")
        if os.path.exists(self.socket_path):
            os.unlink(self.socket_path)
        settings = ("system.daemon.set=true",
                    "directory.default.set=" + directory,
                    "network.scgi.open_local=" + self.socket_path,
                    "network.bind_address.set=127.0.0.1",
                    "network.port_range.set=20000-60000", "network.port_random.set=yes",
                    "network.http.max_open.set=1",
                    "dht.mode.set=disable", "protocol.pex.set=no", "trackers.use_udp.set=no",
                    "pieces.hash.on_completion.set=yes") + options
        command = ["rtorrent", "-n"]
        for setting in settings:
            command += ["-o", setting]
        self.log = open(os.path.join(scratch, name + ".log"), "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT)
        self.wait_for("its SCGI socket", lambda: os.path.exists(self.socket_path))

    def call(self, method, *arguments):
        body = xmlrpc.client.dumps(arguments, method).encode()
        headers = b"CONTENT_LENGTH\0%d\0SCGI\x001\0" % len(body)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(STEP_TIMEOUT)
            connection.connect(self.socket_path)
            connection.sendall(b"%d:%s,%s" % (len(headers), headers, body))
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return xmlrpc.client.loads(answer.split(b"\r\n\r\n", 1)[1])[0][0]

    def wait_for(self, what, condition):
        """Checks every 50 ms; fails, with `what`, if rtorrent dies or the time is over."""
        end = time.monotonic() + STEP_TIMEOUT
        while time.monotonic() < end:
            if self.process.poll() is not None:
                sys.exit(f"rtorrent ({self.name}) ended with {self.process.returncode} "
                         f"while waiting for {what}")
            try:
                if condition():
                    return
            except (ConnectionRefusedError, FileNotFoundError):
                pass  # the socket exists a moment before rtorrent listens on it
            time.sleep(0.05)
        sys.exit(f"rtorrent ({self.name}): gave up waiting for {what}")

    def load(self, torrent, digest, command="load.start"):
        self.wait_for("an answer", lambda: self.call("system.pid"))
        self.call(command, "", torrent)
        self.wait_for("the torrent", lambda: digest in self.call("download_list", ""))

    def pieces(self, digest):
        """How many pieces have been downloaded and passed their hash, and how many there are in all."""
        return self.call("d.completed_chunks", digest), self.call("d.size_chunks", digest)

    def stop(self):
        self.call("system.shutdown.quick")
        self.process.wait(STEP_TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


def download(payload, torrent, directory, rate, scratch):
    digest = info_hash(torrent)
    throttle = f"throttle.global_down.max_rate.set_kb={rate}"
    with (Rtorrent("seeder", os.path.dirname(payload), scratch) as seeder,
          Rtorrent("leecher", directory, scratch, throttle) as leecher):
        seeder.load(torrent, digest)
        seeder.wait_for("the seeder's hash check", lambda: seeder.call("d.complete", digest) == 1)
        leecher.load(torrent, digest)
        leecher.call("add_peer", digest, f"127.0.0.1:{seeder.call('network.listen.port')}")
        leecher.wait_for("the download", lambda: leecher.call("d.complete", digest) == 1
                         and leecher.call("d.hashing", digest) == 0)
        done, total = leecher.pieces(digest)
        leecher.stop()
        seeder.stop()
    print(f"rtorrent says: complete, {done} of {total} pieces passed its hash on completion")
    return 0 if done == total else 3


def check(directory, torrent, scratch):
    digest = info_hash(torrent)
    with Rtorrent("checker", directory, scratch) as client:
        client.load(torrent, digest, "load.normal")
        client.call("d.check_hash", digest)
        client.wait_for("the hash check", lambda: client.call("d.hashing", digest) == 0
                        and client.call("d.is_hash_checked", digest) == 1)
        good, total = client.pieces(digest)
        client.stop()
    print(f"hash check: {good} of {total} pieces good")
    return 0 if good == total else 1


def main(arguments):
    if arguments[:1] == ["make"] and len(arguments) == 4:
        return make(arguments[1], arguments[2], int(arguments[3]))
    if arguments[:1] == ["download"] and len(arguments) == 6:
        return download(*arguments[1:])
    if arguments[:1] == ["check"] and len(arguments) == 4:
        return check(*arguments[1:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
