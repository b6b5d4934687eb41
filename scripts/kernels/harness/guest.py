"""Packs what runs inside the guest into an initramfs: its first process, its modules, its programs and its settings."""
import hashlib
import lzma
import re
import shutil
from pathlib import Path

from .base import HERE, ROOT, UNKNOWN, Failure, attempt, command, last_line, need, need_room, note, usage_error
from .initramfs import write_initramfs


def stamp_of(*paths):
    """A hash of the contents of these files."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def program_given(option, path):
    """The path of a program that the user named; a usage error if it cannot run."""
    if not (Path(path).is_file() and shutil.which(path)):
        raise usage_error(f"{option}: no program {path}")
    return Path(path).resolve()


def build_init(cache):
    """Builds the first process, static with musl. Returns its path."""
    need("musl-gcc", "musl-tools")
    sources = sorted((HERE / "guest").glob("*.[ch]"))
    init = cache.path / f"init-{stamp_of(*sources)}"
    with cache.lock("init"):
        if not init.exists():
            note("building the guest's init")
            part = init.with_suffix(".part")
            command(["musl-gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-static", "-o", part,
                     *(path for path in sources if path.suffix == ".c")], 300,
                    "the guest's init does not build", pattern="error")
            part.rename(init)
    return init


def build_engine(cache):
    """Builds mmapstress' engine as a static program. Returns its path."""
    need("cmake", "cmake")
    need("ninja", "ninja-build")
    # One for each checkout: a build directory of cmake belongs to one source tree.
    build = cache.path / f"engine-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]}"
    engine = build / "tools/mmapstress/mmapstress-static"
    if not engine.exists():
        need_room(cache.path, 150)
    note("building the static engine (a few minutes the first time)")
    with cache.lock("engine"):
        for step in (["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "--toolchain",
                      HERE / "musl/toolchain.cmake", "-DCMAKE_EXE_LINKER_FLAGS=-s",
                      "-DPARTIALFS_WERROR=OFF", "-DPARTIALFS_STATIC_ENGINE=ON"],
                     ["nice", "-n", "5", "cmake", "--build", build, "--target", "mmapstress-static"]):
            command(step, 3600, "the static engine does not build", pattern="(?i)error|not found")
    return engine


# On a device an fsync of another file commits nothing; a sync(2) writes back dirty pages between the stores.
_ON_DEVICE = ("MMAPSTRESS_OVERWRITE_DEVICE=1", "MMAPSTRESS_COMMIT_BY=sync")


class Guest:
    """The root directory of one guest."""

    def __init__(self, root, init):
        self.root = root
        self.order = []  # of its modules, in loading order
        for name in ("modules", "runs", "bin", "etc"):
            (root / name).mkdir(parents=True)
        shutil.copy(init, root / "init")
        self._put("etc/passwd", ["root:x:0:0::/:/bin/sh"])  # 9p's server looks its client up
        self.settings = []
        self.daemons = []

    def add_module(self, kernel, name):
        """Adds a module of the kernel and all that it needs, each once, in loading order."""
        if kernel.modules is None:
            return  # everything is built in
        need("modprobe", "kmod")
        code, said = attempt(["modprobe", "-C", "/dev/null", "-d", kernel.modules, "-S", kernel.release,
                              "--show-depends", name], 60)
        paths = re.findall(r"^insmod (\S+)", said, re.M)
        if code != 0 or not (paths or re.search("^builtin ", said, re.M)):
            raise Failure(UNKNOWN, f"kernel {kernel.release} has no module {name}: {last_line(said)}")
        for path in map(Path, paths):
            self._add_module_file(path)

    def _add_module_file(self, path):
        """Uncompressed, for kernels that cannot decompress modules."""
        name = path.name.removesuffix(".xz")
        if name not in self.order:
            content = path.read_bytes()
            (self.root / "modules" / name).write_bytes(lzma.decompress(content) if path.suffix == ".xz" else content)
            self.order.append(name)

    def add_probe(self, probe):
        if probe:
            self._add_module_file(probe)

    def add_program(self, program):
        """Adds a dynamic program of the host to /bin, with its loader and its libraries at their paths of the host."""
        shutil.copy(program, self.root / "bin")
        for library in re.findall(r"(/\S+)", command(["ldd", program], 60, f"ldd {program} failed")):
            if Path(library).is_absolute() and not library.endswith(":"):
                target = self.root / library.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, target)

    def add_daemon(self, program, *words):
        """Adds a program that is mounted over the test disk, with FUSE, or serves it. Returns the directory with its
        argv. The program is dynamic: Debian has no static libraries for partialfs."""
        self.add_program(program)
        name = f"daemons/{len(self.daemons)}"
        self.daemons.append(name)
        (self.root / name).mkdir(parents=True)
        self._put(f"{name}/argv", [f"/bin/{program.name}", *words])
        return f"/{name}"

    def add_partialfs(self, kernel, program, contract, block):
        self.add_module(kernel, "fuse")
        # No timer: only fsync commits, as on the kernel's filesystems.
        return self.add_daemon(program, "/mnt", "/under", "--foreground", "--contract", contract, "--block-size",
                               str(block), "--commit-interval", "0")

    def add_run(self, number, run, settings):
        (self.root / f"runs/{number}").mkdir()
        self._put(f"runs/{number}/settings", [f"guest.{key}={value}" for key, value in settings.items()])
        # If a name is given twice, the last one counts.
        self._put(f"runs/{number}/env", ["MMAPSTRESS_DIR=@DIR@", "MMAPSTRESS_REPORT=@RUN@/report.json",
                                         *(_ON_DEVICE if settings.get("device") else []),
                                         *run.environment])
        if run.schedule:
            shutil.copy(run.schedule, self.root / f"runs/{number}/schedule")
        self._put(f"runs/{number}/argv", run.argv or ["/mmapstress"])
        if not run.argv:
            self._put(f"runs/{number}/verify", ["/mmapstress", "verify"])

    def set(self, key, value):
        """Adds a setting of guest/settings.h; the value contains no blanks."""
        self.settings.append(f"guest.{key}={value}")

    def _put(self, name, lines):
        (self.root / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def pack(self, file):
        self._put("modules/order", self.order)
        self._put("settings", self.settings)
        write_initramfs(file, self.root)
