"""Real programs as workloads. Their input is made once, outside of the places that are measured."""
import os
import resource
import shutil
import subprocess
import sys
import time

_SQL_ROWS = """CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO t SELECT i, hex(randomblob(50)) FROM n;
"""
_SQL_WORK = "".join(f"UPDATE t SET v = hex(randomblob(50)) WHERE k % 100 = {n};\n" for n in range(100))

# By name: the program needed, the command to run in an empty directory, the amount and the unit of its work.
PROGRAMS = {
    "git-clone": ("git", "git clone -q --no-hardlinks \"$STOCK/repository\" clone", 1, "clones"),
    "untar": ("tar", "tar -xf \"$STOCK/tree.tar\"", 2000, "files"),
    "sqlite-wal": ("sqlite3", "{ echo 'PRAGMA journal_mode=WAL;'; cat \"$STOCK/rows.sql\"; } | sqlite3 db >/dev/null\n"
                              "sqlite3 db <\"$STOCK/work.sql\"", 100, "transactions"),
    "sqlite-mmap": ("sqlite3", "sqlite3 db <\"$STOCK/rows.sql\"\n"
                               "{ echo 'PRAGMA mmap_size=268435456;'; cat \"$STOCK/work.sql\"; } | sqlite3 db >/dev/null",
                    100, "transactions"),
    # It runs for a fixed time, and prints its rate.
    "dbench-4": ("dbench", "dbench -D . -t 10 4 | awk '/^Throughput/ { print $2 }'", 1000, "MB"),
}


def make_stock(directory, workloads):
    """Makes the input of `workloads`. Returns those that can run; the others, whose program is missing, are named."""
    there = []
    for name in workloads:
        if name in PROGRAMS and not shutil.which(PROGRAMS[name][0]):
            print(f"filesystems.py: {PROGRAMS[name][0]} is not installed: no row {name}", file=sys.stderr)
        else:
            there.append(name)
    if not any(name in PROGRAMS for name in there):
        return there
    tree = os.path.join(directory, "tree")
    for number in range(2000):
        folder = os.path.join(tree, f"folder-{number % 100}")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"file-{number}"), "w", encoding="ascii") as file:
            file.write(f"line {number}\n" * (1 + number % 400))
    subprocess.run(["tar", "-C", directory, "-cf", os.path.join(directory, "tree.tar"), "tree"], check=True)
    for name, text in (("rows.sql", _SQL_ROWS), ("work.sql", _SQL_WORK)):
        with open(os.path.join(directory, name), "w", encoding="ascii") as file:
            file.write(text)
    if "git-clone" in there:
        os.rename(tree, os.path.join(directory, "repository"))
        git = ["git", "-C", os.path.join(directory, "repository"), "-c", "user.name=bench", "-c",
               "user.email=bench@localhost", "-c", "commit.gpgsign=false"]
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
            subprocess.run([*git, *words], check=True)
    return there


def measure_program(name, stock, place):
    """Measures as fs_workload does: wall and CPU seconds, and the amount of work. If the script prints a rate, the
    seconds that this amount would have taken."""
    _, script, amount, unit = PROGRAMS[name]
    work = os.path.join(place.path, "program")
    os.mkdir(work)
    daemon, used = place.cpu(), resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    done = subprocess.run(["sh", "-ec", script], cwd=work, env={**os.environ, "STOCK": stock}, check=False,
                          stdout=subprocess.PIPE)
    result = {"wall": time.monotonic() - begin, "amount": amount, "unit": unit, "daemon_cpu": place.cpu() - daemon}
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    result["cpu"] = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    if done.returncode != 0:
        sys.exit(f"filesystems.py: {name} failed on {place.name}")
    if done.stdout:
        scale = amount / float(done.stdout) / result["wall"]
        for key in ("wall", "cpu", "daemon_cpu"):
            result[key] *= scale
    shutil.rmtree(work)
    return result
