"""The kernels that are booted: a suite's own with a module that undoes the fix, one built from a suite's
source, one of the user's."""
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from .base import HERE, UNKNOWN, Failure, command, need, need_room, note
from .guest import stamp_of

_FLAVOUR = "amd64"
_TREE = ("./boot/vmlinuz-*", "./boot/config-*", *(f"*/lib/modules/*/{part}" for part in (
    "modules.*", "kernel/fs/*", "kernel/lib/*", "kernel/crypto/*", "kernel/arch/x86/crypto/*",
    "kernel/drivers/virtio/*", "kernel/drivers/block/*", "kernel/drivers/ata/*", "kernel/drivers/scsi/*",
    "kernel/drivers/mtd/*", "kernel/net/9p/*", "kernel/net/sunrpc/*", "kernel/net/core/*")))


@dataclass
class Kernel:
    way: str  # debian, source or kernel
    release: str | None
    images: dict  # by fix
    modules: Path | None = None  # a directory with lib/modules; None: all is built in
    probes: dict = field(default_factory=dict)  # by fix: the module that is loaded for it


def own_kernel(image):
    return Kernel("kernel", None, {"unknown": Path(image)})


def debian_kernel(suite):
    """Way 2: the suite's own kernel, fetched and unpacked into the cache, and the modules of module/."""
    tree = suite.directory / "kernel"
    with suite.cache.lock(f"kernel-{suite.name}"):
        if not (tree / "ready").exists():
            need("depmod", "kmod")
            need_room(suite.cache.path, 900)
            suite.update()
            release = suite.kernel_release()
            note(f"fetching Linux {release} (about 100 MB)")
            with suite.cache.making(tree) as part:
                suite.unpack(part, *suite.with_parts(f"linux-image-{release}"), only=_TREE)
                if not (part / "lib").exists():
                    (part / "lib").symlink_to("usr/lib")
                command(["depmod", "-b", part, release], 300, f"depmod failed for {release}")
                (part / "ready").write_text(release, encoding="ascii")
        release = (tree / "ready").read_text(encoding="ascii")
        probes = _probes(suite, release)
    image = tree / f"boot/vmlinuz-{release}"
    return Kernel("debian", release, {"undone": image, "present": image}, tree, probes)


def _probes(suite, release):
    """Builds the modules of module/ unless these sources were built before."""
    sources = sorted((HERE / "module").iterdir())
    built = suite.directory / f"mkclean-{release}-{stamp_of(*sources)}"
    if not built.exists():
        with suite.cache.making(built) as part:
            for source in sources:
                shutil.copy(source, part)
            note(f"building the modules against the headers of {release}")
            (_build_on_host if suite.is_of_host else _build_in_chroot)(suite, release, part)
    return {"undone": built / "mkclean_lost.ko", "present": built / "mkclean_kept.ko"}


def _build_on_host(suite, release, directory):
    need("make", "make")
    need("gcc-12", "gcc-12")
    tree = suite.directory / "headers"
    headers = tree / f"usr/src/linux-headers-{release}"
    if not headers.exists():
        suite.update()
        with suite.cache.making(tree) as part:
            suite.unpack(part, *suite.with_parts(f"linux-headers-{release}"))
    # The headers name their other half by an absolute path on the host; it is in the cache.
    common = f"{headers}".removesuffix(_FLAVOUR) + "common"
    (headers / "Makefile").write_text(f"include {common}/Makefile\n", encoding="utf-8")
    command(["make", "-C", headers, f"M={directory}", "modules"], 900,
            f"the module does not build against the headers of {release}", pattern=r"error|Error|\*\*\*")


def _build_in_chroot(suite, release, directory):
    root = suite.chroot("make", f"linux-headers-{release}")
    inside = root / "tmp/module"
    shutil.rmtree(inside, ignore_errors=True)
    shutil.copytree(directory, inside)
    suite.inside(root, ["make", "-C", f"/usr/src/linux-headers-{release}", "M=/tmp/module", "modules"], 900,
                 f"the module does not build against the headers of {release}")
    shutil.copytree(inside, directory, dirs_exist_ok=True)
    shutil.rmtree(inside)


def source_kernel(suite, temporary, jobs):
    """Way 3: built from the suite's linux-source with a minimal configuration, once as it is and once with
    source/undo-fix.patch."""
    tree = suite.directory / "source"
    with suite.cache.lock(f"source-{suite.name}"):
        if not (tree / "ready").exists():
            _fetch_source(suite, tree)
        release = (tree / "ready").read_text(encoding="ascii").strip()
        images = tree / f"images-{stamp_of(tree / 'ready', *sorted((HERE / 'source').iterdir()))}"
        if not (images / "undone").exists():
            _build_images(tree / "tree", images, release, temporary, jobs)
    return Kernel("source", release, {fix: images / fix / "bzImage" for fix in ("undone", "present")})


def _fetch_source(suite, tree):
    """Unpacks what a build of this configuration reads, about a third of the source: of other
    architectures and of large drivers only the Kconfig files."""
    need("xz", "xz-utils")
    need_room(suite.cache.path, 2000)
    suite.update()
    version = suite.source_version()
    package = f"linux-source-{version}"
    note(f"fetching {package} (about 150 MB)")
    without = [f"--exclude=*/{part}" for part in (
        "Documentation/*.rst", "Documentation/devicetree/*", "tools/testing/*", "tools/perf/*",
        "arch/*/boot/dts/*", *(f"{large}/*.[chS]" for large in (
            "drivers/gpu", "drivers/net", "drivers/media", "drivers/staging", "drivers/infiniband", "sound",
            "arch/arm", "arch/arm64", "arch/powerpc", "arch/mips")))]
    with suite.cache.making(tree) as part:
        suite.unpack(part, package, only=("*/linux-source-*.tar.xz",))
        archive, = part.glob("usr/src/*.tar.xz")
        (part / "tree").mkdir()
        command(["tar", "-x", "-C", part / "tree", "-f", archive, "--strip-components=1", *without], 1800,
                f"cannot unpack {package} into {part}")
        shutil.rmtree(part / "usr")
        said = command(["make", "-s", "-C", part / "tree", "kernelversion"], 300, f"{package} does not answer")
        (part / "ready").write_text(said, encoding="ascii")


def _configure(tree, temporary):
    wanted = (HERE / "source/guest.config").read_text(encoding="ascii")
    parts = [tree / name for name in ("kernel/configs/tiny-base.config", "kernel/configs/tiny.config",
                                      "arch/x86/configs/tiny.config")]
    everything = temporary / "all.config"
    everything.write_text("".join(part.read_text() for part in parts if part.exists()) + wanted, encoding="ascii")
    command(["make", "-C", tree, f"KCONFIG_ALLCONFIG={everything}", "allnoconfig"], 3600,
            "the kernel cannot be configured")
    got = set((tree / ".config").read_text(encoding="utf-8").splitlines())
    for option in re.findall("^CONFIG_.*", wanted.partition("# Filesystems")[0], re.M):
        if option not in got:
            raise Failure(UNKNOWN, f"this kernel source cannot have {option}, which the guest needs")


def _build_images(tree, images, release, temporary, jobs):
    """The patched file is put back before and after, so that an interrupted build does no harm."""
    for name, package in (("flex", "flex"), ("bison", "bison"), ("bc", "bc"), ("make", "make"), ("gcc", "gcc"),
                          ("patch", "patch")):
        need(name, package)
    file, kept = tree / "mm/page-writeback.c", tree / "mm/page-writeback.c.present"
    if not kept.exists():
        shutil.copy(file, kept)
    for fix in ("present", "undone"):
        if file.read_bytes() != kept.read_bytes():
            shutil.copy(kept, file)
        note(f"building Linux {release} with the fix {fix} (some minutes)")
        if fix == "present":
            _configure(tree, temporary)
        else:
            command(["patch", "-s", "-p1", "-d", tree, "-i", HERE / "source/undo-fix.patch"], 60,
                    "undo-fix.patch does not fit this source")
        command(["nice", "make", "-C", tree, f"-j{jobs}", "bzImage"], 7200, "the kernel does not build",
                pattern=r"error|Error|\*\*\*")
        (images / fix).mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / "arch/x86/boot/bzImage", images / f"{fix}.part")
        (images / f"{fix}.part").rename(images / fix / "bzImage")
    shutil.copy(kept, file)
