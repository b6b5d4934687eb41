#!/usr/bin/python3
"""Puts each line of standard input, "key<tab>value", into an LMDB in a transaction of its own.

  lmdb-put.py DIRECTORY [OPTION=True|False...]    the options of lmdb.open(); writemap is on
"""

import sys

import lmdb


def main(arguments):
    options = {name: value == "True" for name, value in (pair.split("=") for pair in arguments[1:])}
    with lmdb.open(arguments[0], map_size=1 << 22, writemap=True, **options) as environment:
        for line in sys.stdin.buffer:
            key, value = line.rstrip(b"\n").split(b"\t")
            with environment.begin(write=True) as transaction:
                transaction.put(key, value)


if __name__ == "__main__":
    main(sys.argv[1:])
