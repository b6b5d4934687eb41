"""Kernels built here from a suite's linux-source: one tree and one output directory. Configurations and patches are
applied in turn, so that only the first build takes long."""
import re
import shutil
from pathlib import Path

from .base import HERE, UNKNOWN, Failure, attempt, command, need, need_room, note
from .guest import stamp_of
from .kernels import Kernel

SOURCE = HERE / "source"
OF_MUTANTS = "trixie"  # the suite whose linux-source the patches of source/mutants fit
# --config: the files added to guest.config, and for each value of --fix more files and the patches.
CONFIGS = {
    "filesystems": {"undone": (("filesystems.config",), ("undo-fix.patch",)),
                    "present": (("filesystems.config",), ())},
    "blockdev": {"undone": (("blockdev.config",), ()),
                 "present": (("blockdev.config",), ("iomap-dirty-folio.patch",)),
                 "buffer-heads": (("buffer-heads.config",), ())},
}
_TOOLS = (("flex", "flex"), ("bison", "bison"), ("bc", "bc"), ("make", "make"), ("gcc", "gcc"), ("patch", "patch"))
_ERROR = r": (?:fatal )?error: |undefined reference|\*\*\* (?!Waiting)"


class SourceTree:
    """A suite's linux-source in the cache. One process at a time builds in it."""

    def __init__(self, suite, temporary, jobs):
        self.suite = suite
        self.temporary = temporary
        self.jobs = jobs
        self.path = suite.directory / "source"
        self.tree = self.path / "tree"
        self.output = self.path / "build"
        self.kept = self.path / "kept"  # the original files, before a patch changed them
        if not (self.path / "ready").exists():
            with self._locked():
                if not (self.path / "ready").exists():
                    _fetch_source(suite, self.path)
        self.release = (self.path / "ready").read_text(encoding="ascii").strip()

    def _locked(self):
        return self.suite.cache.lock(f"source-{self.suite.name}")

    def image_path(self, configs, patches):
        """The path of the bzImage with this configuration and these patches, built or not."""
        files = [SOURCE / name for name in ("guest.config", *configs)] + [SOURCE / name for name in patches]
        name = Path(patches[-1]).stem if patches else Path(configs[-1]).stem
        return self.path / f"images/{name}-{stamp_of(self.path / 'ready', *files)}"

    def image(self, configs, patches):
        """The bzImage, built unless it exists. `configs`, `patches`: names of files in source/."""
        image = self.image_path(configs, patches)
        if not image.exists():  # otherwise there is no need to wait for another build
            with self._locked():
                if not image.exists():
                    self._build(configs, patches, image)
        return image

    def _build(self, configs, patches, image):
        for name, package in _TOOLS:
            need(name, package)
        need_room(self.suite.cache.path, 1500)
        first = not (self.output / "vmlinux").exists()
        note(f"building Linux {self.release} with {' and '.join([*configs, *patches])}"
             f"{' (some minutes, the first time)' if first else ''}")
        self.restore()
        self._configure(configs)
        try:
            for patch in patches:
                self._apply(SOURCE / patch)
            command(["nice", "-n", "10", *self._make, f"-j{self.jobs}", "bzImage"], 7200,
                    f"Linux {self.release} with {' and '.join([*configs, *patches])} does not build", pattern=_ERROR)
        finally:
            self.restore()
        image.parent.mkdir(exist_ok=True)
        part = image.with_suffix(".part")
        shutil.copy(self.output / "arch/x86/boot/bzImage", part)
        part.rename(image)

    @property
    def _make(self):
        return ["make", "-C", self.tree, f"O={self.output}"]

    def _configure(self, configs):
        wanted = "".join((SOURCE / name).read_text(encoding="ascii") for name in ("guest.config", *configs))
        parts = [self.tree / name for name in ("kernel/configs/tiny-base.config", "kernel/configs/tiny.config",
                                               "arch/x86/configs/tiny.config")]
        everything = self.temporary / "all.config"
        everything.write_text("".join(part.read_text() for part in parts if part.exists()) + wanted, encoding="ascii")
        self.output.mkdir(exist_ok=True)
        command([*self._make, f"KCONFIG_ALLCONFIG={everything}", "allnoconfig"], 3600,
                "the kernel cannot be configured")
        for option in missing_options(wanted, (self.output / ".config").read_text(encoding="utf-8")):
            raise Failure(UNKNOWN, f"this kernel source cannot have {option}, which the guest needs")

    def restore(self):
        """Undoes the changes of patches, also those of an interrupted build."""
        for kept in sorted(self.kept.rglob("*")):
            if not kept.is_file():
                continue
            file = self.tree / kept.relative_to(self.kept)
            if file.read_bytes() != kept.read_bytes():
                shutil.copyfile(kept, file)

    def _apply(self, patch):
        names = files_of(patch)
        for name in names:
            kept = self.kept / name
            if not (self.tree / name).is_file():
                raise Failure(UNKNOWN, f"{patch.name} does not fit Linux {self.release}: it has no {name}")
            if not kept.exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.tree / name, kept.with_name(kept.name + ".part"))
                kept.with_name(kept.name + ".part").rename(kept)
        if not names:
            raise Failure(UNKNOWN, f"{patch.name} changes no file (it has no line that begins with +++)")
        code, said = attempt(["patch", "-p1", "--no-backup-if-mismatch", "-r", "-", "-d", self.tree, "-i", patch], 60)
        if code != 0:
            raise Failure(UNKNOWN, f"{patch.name} does not fit Linux {self.release}: {where_it_failed(said)}")


def missing_options(wanted, got):
    """The lines of the configuration `wanted` that are not in the .config `got`. Lines below a comment with "as far
    as the source has" may be missing."""
    lines, optional, in_comment = set(got.splitlines()), False, False
    for line in wanted.splitlines():
        switched_off = re.match(r"# (CONFIG_\S+) is not set", line)
        is_comment = line.startswith("#") and not switched_off
        if is_comment:
            optional = "as far as the source has" in line or (in_comment and optional)
        elif switched_off and f"{switched_off[1]}=y" in lines:
            yield f"{switched_off[1]}=n"
        elif not switched_off and not optional and line not in lines:
            yield line
        in_comment = is_comment


def files_of(patch):
    """The files that a patch changes, below the source tree."""
    return re.findall(r"^\+\+\+ [^/\s]+/(\S+)", patch.read_text(encoding="utf-8"), re.M)


def where_it_failed(said):
    """File and line of the first hunk that patch(1) could not place."""
    file = "?"
    for line in said.splitlines():
        name = re.match(r"(?:checking|patching) file (\S+)", line)
        file = name[1] if name else file
        failed = re.match(r"Hunk #(\d+) FAILED at (\d+)", line)
        if failed:
            return f"{file}:{failed[2]}: hunk {failed[1]} finds nothing like it"
    return next((line for line in said.splitlines() if line.strip()), "patch said nothing")


def source_kernel(suite, config, fixes, temporary, jobs):
    """Way 3: a kernel built from the suite's linux-source, with the files and patches of source/ that the
    configuration names for each value of --fix."""
    tree = SourceTree(suite, temporary, jobs)
    return Kernel("source", tree.release, {fix: tree.image(*CONFIGS[config][fix]) for fix in fixes})


def _fetch_source(suite, path):
    """Unpacks what a build of these configurations reads, about a third of the source: of other architectures and of
    large drivers only the Kconfig files."""
    need("xz", "xz-utils")
    need_room(suite.cache.path, 2000)
    suite.update()
    version = suite.source_version()
    package = f"linux-source-{version}"
    note(f"fetching {package} (about 150 MB)")
    without = [f"--exclude=*/{part}" for part in (
        "Documentation/*.rst", "Documentation/devicetree/*", "tools/testing/*", "tools/perf/*",
        "arch/*/boot/dts/*", *(f"{large}/*.[chS]" for large in (
            "drivers/gpu", "drivers/net/*", "drivers/media", "drivers/staging", "drivers/infiniband", "sound",
            "arch/arm", "arch/arm64", "arch/powerpc", "arch/mips")))]
    with suite.cache.making(path) as part:
        suite.unpack(part, package, only=("*/linux-source-*.tar.xz",))
        archive, = part.glob("usr/src/*.tar.xz")
        (part / "tree").mkdir()
        command(["tar", "-x", "-C", part / "tree", "-f", archive, "--strip-components=1", *without], 1800,
                f"cannot unpack {package} into {part}")
        shutil.rmtree(part / "usr")
        said = command(["make", "-s", "-C", part / "tree", "kernelversion"], 300, f"{package} does not answer")
        (part / "ready").write_text(said, encoding="ascii")
