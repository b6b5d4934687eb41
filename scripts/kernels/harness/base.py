"""What every part of the harness needs: failures, messages, the cache, the temporary directory, and host commands,
each with a time limit."""
import contextlib
import errno
import fcntl
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent  # scripts/kernels
ROOT = HERE.parent.parent
USAGE, UNKNOWN = 2, 3  # exit codes of run.sh and compare.sh besides 0 and 1

program = "run.sh"  # how messages begin
note = logging.getLogger("harness").info  # progress messages, shown on a terminal or with --verbose
os.environ["PATH"] += ":/usr/sbin:/sbin"  # mkfs, depmod


class Failure(Exception):
    """Ends the program, or one row, with a message of one line and an exit code."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class DiskFull(Failure):
    """No space is left in a directory that the harness writes to."""


class Stopped(BaseException):
    """SIGTERM or SIGHUP was received."""


def usage_error(message):
    return Failure(USAGE, f"{message}; see --help")


def need(name, package):
    """Raises a failure that names the package unless this command is installed."""
    if not shutil.which(name):
        raise Failure(UNKNOWN, f"no {name}: install the package {package} "
                               "(scripts/install-deps.sh --kernels has them all)")


# The directories that the harness writes to, so that a full one can be named.
places = []


def free_mebibytes(directory):
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize >> 20


def need_room(directory, mebibytes):
    free = free_mebibytes(directory)
    if free < mebibytes:
        raise DiskFull(UNKNOWN, f"disk full: {directory} has {free} MiB left and {mebibytes} MiB are "
                               "needed; free some, or give --cache DIR or TMPDIR")


def disk_full():
    """The failure for "no space left"; it names the fullest of our directories."""
    place = min((p for p in places if os.path.isdir(p)), key=free_mebibytes, default="the disk")
    left = f" ({free_mebibytes(place)} MiB left)" if place != "the disk" else ""
    return DiskFull(UNKNOWN, f"disk full: {place}{left}; free some, or give --cache DIR or TMPDIR")


class Processes:
    """The processes that were started and still run; end_all() ends them and their children."""

    def __init__(self):
        self._lock = threading.Lock()
        self._running = set()
        self._ending = False  # nothing is started any more

    @contextlib.contextmanager
    def started(self, argv, **how):
        """Starts a process in a session of its own; it has ended when the block ends."""
        with self._lock:
            if self._ending:
                raise Stopped
            process = subprocess.Popen([str(word) for word in argv], start_new_session=True, **how)
            self._running.add(process)
        try:
            yield process
        finally:
            self._end(process)
            with self._lock:
                self._running.discard(process)

    @staticmethod
    def _end(process):
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)

    def begin(self):
        self._ending = False

    def end_all(self):
        with self._lock:
            self._ending = True
            running = list(self._running)
        for process in running:
            self._end(process)


processes = Processes()


def last_line(text, pattern=None):
    """The line with the error: the first that matches, or the last one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if pattern and re.search(pattern, line)),
                lines[-1] if lines else "it said nothing")


def attempt(argv, limit, *, stdin=subprocess.DEVNULL, **how):
    """Runs a command of the host for at most `limit` seconds. Returns its exit code and its output."""
    with tempfile.TemporaryFile() as said:
        try:
            with processes.started(argv, stdin=stdin, stdout=said, stderr=said, **how) as process:
                code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        except OSError as error:
            raise Failure(UNKNOWN, f"{argv[0]} cannot be started: {error.strerror}") from error
        said.seek(0)
        return code, said.read().decode(errors="replace")


def command(argv, limit, failed, *, pattern=None, **how):
    """Like attempt(), but a failure raises one that says `failed` and why. Returns the output."""
    code, said = attempt(argv, limit, **how)
    if code is None:
        raise Failure(UNKNOWN, f"{failed}: {os.path.basename(str(argv[0]))} did not end within {limit} s")
    if code != 0:
        if os.strerror(errno.ENOSPC) in said:
            raise disk_full()
        raise Failure(UNKNOWN, f"{failed}: {last_line(said, pattern)}")
    return said


class Cache:
    """Keeps what is fetched and built from run to run."""

    def __init__(self, directory):
        self.path = Path(os.path.abspath(directory))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            writable = os.access(self.path, os.W_OK)
        except OSError:
            writable = False
        if not writable:
            raise Failure(UNKNOWN, f"cannot write the cache directory {directory}; "
                                   "give another with --cache DIR")
        places.append(self.path)

    @contextlib.contextmanager
    def lock(self, name):
        """A lock of the cache: one process at a time does this."""
        with open(self.path / f".lock-{name}", "w", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def making(self, path):
        """A directory to fill; it becomes `path` if the block ends without a failure."""
        part = path.with_name(path.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        shutil.rmtree(path, ignore_errors=True)
        part.rename(path)


@contextlib.contextmanager
def temporary_directory(keep):
    base = os.environ.get("TMPDIR") or "/tmp"
    try:
        path = Path(tempfile.mkdtemp(prefix="partialfs-kernels.", dir=base))
    except OSError as error:
        raise Failure(UNKNOWN, f"cannot make a temporary directory in {base}: {error.strerror}") from error
    places.append(path)
    processes.begin()
    try:
        yield path
    finally:
        processes.end_all()
        if keep:
            print(f"{program}: kept {path}", file=sys.stderr)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _stop(number, _frame):
    signal.signal(number, signal.SIG_IGN)
    raise Stopped(number)


def run_as(name, main):
    """Runs main() as the program `name`. If it ends without a result, says why in one line. Returns the exit code."""
    global program
    program = name
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        return main()
    except Failure as failure:
        code, message = failure.code, str(failure)
    except KeyboardInterrupt:
        code, message = 128 + signal.SIGINT, "interrupted"
    except Stopped as stopped:
        code, message = 128 + (stopped.args[0] if stopped.args else signal.SIGTERM), "ended by a signal"
    except OSError as error:
        full = error.errno == errno.ENOSPC
        code, message = UNKNOWN, str(disk_full()) if full else str(error)
    print(f"{program}: {message}", file=sys.stderr)
    return code


def talk(verbose):
    """Sets up note()."""
    logging.basicConfig(format=f"{program}: %(message)s", stream=sys.stderr,
                        level=logging.INFO if verbose or sys.stderr.isatty() else logging.WARNING)


def can_write(option, path):
    """Checks early that the path can be written: a usage error now, and not after all the work."""
    if path and (os.path.isdir(path)
                 or not os.access(path if os.path.exists(path) else os.path.dirname(path) or ".", os.W_OK)):
        raise usage_error(f"{option}: cannot write {path}")
