"""The kernels that are booted: a suite's own with a module that undoes the fix, or one of the user's. sources.py
builds one from a suite's source."""
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from .base import HERE, command, need, need_room, note
from .guest import stamp_of

_FLAVOUR = "amd64"
_TREE = ("./boot/vmlinuz-*", "./boot/config-*", *(f"*/lib/modules/*/{part}" for part in (
    "modules.*", "kernel/fs/*", "kernel/lib/*", "kernel/crypto/*", "kernel/arch/x86/crypto/*",
    "kernel/drivers/virtio/*", "kernel/drivers/block/*", "kernel/drivers/ata/*", "kernel/drivers/scsi/*",
    "kernel/drivers/mtd/*", "kernel/net/9p/*", "kernel/net/sunrpc/*", "kernel/net/core/*",
    "kernel/net/dns_resolver/*")))


@dataclass
class Kernel:
    way: str  # debian, source or kernel
    release: str | None
    images: dict  # by fix
    modules: Path | None = None  # a directory with lib/modules; None: everything is built in
    probes: dict = field(default_factory=dict)  # by fix: the module that is loaded for it


def own_kernel(image):
    return Kernel("kernel", None, {"unknown": Path(image)})


def debian_kernel(suite, with_probes=True):
    """Way 2: the suite's own kernel, fetched and unpacked into the cache, and the modules built from module/."""
    tree = suite.directory / "kernel"
    parts = tree / "parts"  # what was unpacked
    with suite.cache.lock(f"kernel-{suite.name}"):
        if not parts.exists() or parts.read_text(encoding="ascii").split() != list(_TREE):
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
                (part / "parts").write_text("\n".join(_TREE), encoding="ascii")
        release = (tree / "ready").read_text(encoding="ascii")
        probes = _probes(suite, release) if with_probes else {}
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
    # The headers include their common part by an absolute path of the host; it is in the cache.
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
