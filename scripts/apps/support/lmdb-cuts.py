#!/usr/bin/python3
"""LMDB under power cuts: each transaction puts one entry and changes many.

  lmdb-cuts.py DIRECTORY COUNT [OPTION=True|False...]      options of lmdb.open()
"""

import sys

import lmdb

import cuts

OPTIONS = {name: value == "True" for name, value in (pair.split("=") for pair in sys.argv[3:])}
del sys.argv[3:]
ENTRIES = 400


def connect(directory):
    return lmdb.open(directory, map_size=1 << 24, **OPTIONS)


def key(number):
    return b"entry%06d" % number


def work(directory, acknowledge):
    with connect(directory) as environment:
        with environment.begin() as transaction:
            first = int(transaction.get(b"done", b"0"))
        for number in range(first + 1, first + 1_000_000):
            with environment.begin(write=True) as transaction:
                for k in range(20):
                    transaction.put(key((number * 7 + k * 20) % ENTRIES), b"%09d" % number + b"x" * 200)
                transaction.put(b"done", b"%d" % number)
            acknowledge(number)


def check(directory, acknowledged):
    try:
        with connect(directory) as environment, environment.begin() as transaction:
            done = int(transaction.get(b"done", b"0"))
            expected = {}
            for number in range(max(1, done - ENTRIES), done + 1):
                for k in range(20):
                    expected[key((number * 7 + k * 20) % ENTRIES)] = b"%09d" % number + b"x" * 200
            found = dict(transaction.cursor())
    except (lmdb.Error, ValueError) as error:
        return f"LMDB: {error}"
    if done < acknowledged:
        return f"{acknowledged - done} transactions that were acknowledged are gone"
    wrong = sum(found.get(name) != value for name, value in expected.items())
    return f"{wrong} entries are not those of transaction {done}" if wrong else None


if __name__ == "__main__":
    cuts.main(work, check)
