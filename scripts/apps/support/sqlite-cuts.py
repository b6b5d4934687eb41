#!/usr/bin/python3
"""SQLite under power cuts: each transaction moves amounts between rows in many pages, and adds one row.

  sqlite-cuts.py DIRECTORY COUNT [PRAGMA...]      e.g. journal_mode=WAL mmap_size=67108864
"""

import contextlib
import os
import sqlite3
import sys

import cuts

PRAGMAS = sys.argv[3:]
del sys.argv[3:]
ACCOUNTS = 400
TOTAL = 100 * ACCOUNTS


def connect(directory):
    database = sqlite3.connect(os.path.join(directory, "bank.db"), isolation_level=None, timeout=0)
    for pragma in ["synchronous=FULL", *PRAGMAS]:
        database.execute("PRAGMA " + pragma)
    return database


def work(directory, acknowledge):
    database = connect(directory)
    database.execute("CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, sum INTEGER, filler TEXT)")
    database.execute("CREATE TABLE IF NOT EXISTS done (id INTEGER PRIMARY KEY AUTOINCREMENT)")
    if not database.execute("SELECT count(*) FROM account").fetchone()[0]:
        database.execute("BEGIN")
        database.executemany("INSERT INTO account VALUES (?, 100, ?)",
                             ((i, "x" * 300) for i in range(ACCOUNTS)))
        database.execute("COMMIT")
    first = database.execute("SELECT count(*) FROM done").fetchone()[0]
    for number in range(first + 1, first + 1_000_000):
        database.execute("BEGIN")
        for k in range(20):  # pairs from the whole file
            giver, taker = (number * 7 + k * 40) % ACCOUNTS, (number * 11 + k * 40 + 20) % ACCOUNTS
            database.execute("UPDATE account SET sum = sum - 1 WHERE id = ?", (giver,))
            database.execute("UPDATE account SET sum = sum + 1 WHERE id = ?", (taker,))
        database.execute("INSERT INTO done DEFAULT VALUES")
        database.execute("COMMIT")
        acknowledge(number)


def check(directory, acknowledged):
    try:
        # Always closed: its mapping would not survive the next cut.
        with contextlib.closing(connect(directory)) as database:
            return wrong_in(database, acknowledged)
    except sqlite3.Error as error:
        return f"SQLite: {error}"


def wrong_in(database, acknowledged):
    said = database.execute("PRAGMA integrity_check").fetchone()[0]
    if said != "ok":
        return "integrity_check: " + said.splitlines()[-1]
    if not database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'done'").fetchone()[0]:
        return f"{acknowledged} transactions are gone" if acknowledged else None
    done = database.execute("SELECT count(*) FROM done").fetchone()[0]
    total, count = database.execute("SELECT sum(sum), count(*) FROM account").fetchone()
    if done < acknowledged:
        return f"{acknowledged - done} transactions that were acknowledged are gone"
    if count not in (0, ACCOUNTS) or (count and total != TOTAL):
        return f"a transaction is there in part: the sum is {total}, not {TOTAL}"
    return None


if __name__ == "__main__":
    cuts.main(work, check)
