#!/usr/bin/python3
"""Puts the lines of standard input, "key<tab>value", into an LMDB.

  lmdb-put.py DIRECTORY N [OPTION=True|False...]

N lines make a transaction; each line is put as soon as it is read. The OPTIONs are those of lmdb.open(); writemap is
on.
"""

import itertools
import sys

import lmdb


def main(arguments):
    directory, count = arguments[0], int(arguments[1])
    options = {name: value == "True" for name, value in (pair.split("=") for pair in arguments[2:])}
    with lmdb.open(directory, map_size=1 << 22, writemap=True, **options) as environment:
        for line in sys.stdin.buffer:
            with environment.begin(write=True) as transaction:
                for record in itertools.chain([line], itertools.islice(sys.stdin.buffer, count - 1)):
                    transaction.put(*record.rstrip(b"\n").split(b"\t"))


if __name__ == "__main__":
    main(sys.argv[1:])
