#!/usr/bin/python3
"""PostgreSQL on a partialfs mount, when its disk refuses one write of a checkpoint.

    postgresql-eio.py DIRECTORY RETRY

Makes a cluster in DIRECTORY, a mount or, for a reference, a plain directory; puts rows into a table; lets the disk refuse one
write of the table, so that the checkpoint's fsync fails; requests another checkpoint; cuts the power; starts a
server on what is on disk, and counts the rows. What it finds is written to DIRECTORY/result. RETRY is the setting
data_sync_retry: `on` calls fsync again, as every PostgreSQL before 12 did; `off` panics, and recovers from the log.

Must be root; the servers run as nobody, in a mount namespace in which their data is in /var/lib/postgresql.
Exit code: 0, there is a result; 2, there is none.
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time

HOME = "/var/lib/postgresql"
ROWS = 2000
SETTINGS = {"listen_addresses": "", "unix_socket_directories": HOME, "autovacuum": "off", "checkpoint_timeout": "1h",
            "bgwriter_lru_maxpages": "0", "shared_buffers": "16MB", "min_wal_size": "32MB", "max_wal_size": "64MB",
            "logging_collector": "off", "wal_recycle": "off", "jit": "off"}


def fail(words):
    print(f"postgresql-eio.py: {words}", file=sys.stderr)
    sys.exit(2)


class Server:
    """A server on the cluster in HOME."""

    def __init__(self, retry):
        self.bin = max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))
        self.settings = SETTINGS | {"data_sync_retry": retry}

    def run(self, program, *arguments, check=True):
        """Runs one of PostgreSQL's programs as nobody."""
        return subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", f"{self.bin}/{program}",
                               *arguments], check=check, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, cwd="/")

    def start(self):
        options = " ".join(f"-c {name}={value or repr('')}" for name, value in self.settings.items())
        log = f"{HOME}/log"
        if self.run("pg_ctl", "-w", "-D", f"{HOME}/data", "-l", log, "-o", options, "start", check=False).returncode:
            print(open(log, encoding="utf-8").read()[-2000:])
            fail("the server does not start")

    def stop(self, how):
        self.run("pg_ctl", "-w", "-D", f"{HOME}/data", "-m", how, "stop", check=False)

    def sql(self, *statements, check=True):
        """The output of the statements. If they fail: nothing, or with `check` a failure."""
        commands = [word for statement in statements for word in ("-c", statement)]
        said = self.run("psql", "-h", HOME, "-d", "postgres", "-XqAt", "-v", "ON_ERROR_STOP=1", *commands, check=False)
        if check and said.returncode:
            fail(said.stdout)
        print(said.stdout, end="")
        return said.stdout.strip() if said.returncode == 0 else None

    def wait(self):
        """Waits until it answers: it may have panicked, and be recovering."""
        for _ in range(600):
            if self.sql("SELECT 1", check=False) == "1":
                return
            time.sleep(0.1)
        fail("the server does not come back")


def bind(directory):
    subprocess.run(["mount", "--bind", directory, HOME], check=True)


def use(directory, server):
    """Uses the cluster until the power is cut."""
    data = f"{directory}/pg"
    os.mkdir(data, 0o700)
    shutil.chown(data, "nobody", "nogroup")
    bind(data)
    server.run("initdb", "-D", f"{HOME}/data", "-U", "nobody", "--no-sync", "--no-locale", "-E", "UTF8")
    server.start()
    insert = f"INSERT INTO rows SELECT n, repeat(md5(n::text), 8) FROM generate_series(1, {ROWS}) AS n"
    server.sql("CREATE TABLE rows (number int, words text)", insert, "CHECKPOINT")
    server.sql(insert)
    table = server.sql("SELECT pg_relation_filepath('rows')")
    faults = f"{directory}/.partialfs/faults"
    if os.path.exists(faults):
        with open(faults, "w", encoding="utf-8") as control:
            control.write(f"pwrite EIO path=pg/data/{table} count=1\n")
        if server.sql("CHECKPOINT", check=False) is not None:
            fail("the checkpoint did not fail")
        if "fired 1" not in open(faults, encoding="utf-8").read():
            fail("no write of the table was refused")
        server.wait()
    server.sql("CHECKPOINT")
    server.stop("immediate")
    subprocess.run(["umount", "--lazy", HOME], check=True)


def disk_of(directory):
    """The directory that shows what is on disk."""
    source = subprocess.run(["findmnt", "--noheadings", "--output", "SOURCE", "--mountpoint", directory], text=True,
                            stdout=subprocess.PIPE, check=False).stdout.strip()
    return source or directory


def count(directory, server):
    """The rows that a server finds on disk."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.chown(copy, "nobody", "nogroup")
        subprocess.run(["cp", "-a", f"{disk_of(directory)}/pg/.", copy], check=True)
        bind(copy)
        server.start()
        rows = server.sql("SELECT count(*) FROM rows", check=False)
        server.stop("fast")
        subprocess.run(["umount", "--lazy", HOME], check=True)
    return f"{rows or 'none, an error'} of {2 * ROWS} rows"


def main():
    if len(sys.argv) != 3 or sys.argv[2] not in ("on", "off"):
        sys.exit(__doc__)
    if os.geteuid() != 0:
        fail("it must be root, for a mount namespace and for the servers' user")
    if "OWN_NAMESPACE" not in os.environ:
        os.environ["OWN_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])
    directory, server = os.path.abspath(sys.argv[1]), Server(sys.argv[2])
    use(directory, server)
    result = count(directory, server)
    with open(f"{directory}/result", "w", encoding="utf-8") as file:
        print(result, file=file)
        file.flush()
        os.fsync(file)
    shutil.rmtree(f"{directory}/pg")


if __name__ == "__main__":
    main()
