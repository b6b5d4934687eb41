#!/usr/bin/python3
"""Copies records from standard input to standard output, one at a time.

  pace.py MILLISECONDS [paragraphs]

A record is a line or, with `paragraphs`, everything up to and including the next empty line. Each is one write(2),
followed by a pause: the program that reads the records stores them one after the other while commits happen in
between, as on a busy machine.
"""

import os
import sys
import time


def main(arguments):
    pause = float(arguments[0]) / 1000
    paragraphs = arguments[1:] == ["paragraphs"]
    record = []
    for line in sys.stdin.buffer:
        record.append(line)
        if paragraphs and line != b"\n":
            continue
        os.write(1, b"".join(record))
        record = []
        if pause:
            time.sleep(pause)
    if record:
        os.write(1, b"".join(record))


if __name__ == "__main__":
    main(sys.argv[1:])
