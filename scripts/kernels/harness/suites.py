"""Debian's package archive by suite, with apt directories of our own: the host's sources and lists are not used, and
nothing is installed on the host."""
import fnmatch
import os
import platform
import re
import subprocess
import tarfile
import time

from .base import UNKNOWN, Failure, attempt, command, need, note, processes, usage_error

MIRROR = "http://deb.debian.org/debian"
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_DAY = 24 * 3600
_LINUX = r"linux-(?:image|binary|modules|base|headers|kbuild|compiler)-\S*\d\S*?(?=[\s,(]|$)"


def suite_name(text):
    """The archive's name for a suite: "backports" are those of trixie."""
    if not re.fullmatch("[a-z]+(-[a-z]+)*", text):
        raise usage_error(f"--debian and --source take a suite, as bookworm, trixie, backports or sid, not '{text}'")
    return "trixie-backports" if text == "backports" else text


def _unpack_some(package, target, patterns):
    with processes.started(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
            for member in tar:
                if any(fnmatch.fnmatch(member.name, pattern) for pattern in patterns):
                    tar.extract(member, target)


class Suite:
    def __init__(self, cache, name, mirror=MIRROR):
        self.name = name
        self.base = name.removesuffix("-backports")
        self.mirror = mirror
        self.cache = cache
        self.directory = cache.path / "suites" / name
        self._options = [f"-oDir::Etc::sourcelist={self.directory}/apt/sources.list",
                         "-oDir::Etc::sourceparts=/dev/null", "-oDir::Etc::preferencesparts=/dev/null",
                         f"-oDir::State::lists={self.directory}/apt/lists",
                         f"-oDir::Cache={self.directory}/apt/cache", "-oAPT::Sandbox::User=root"]
        self._prefer = [f"-oAPT::Default-Release={name}"] if name != self.base else []
        self._options += self._prefer

    @property
    def is_of_host(self):
        """Whether the host is of this suite, so that its compiler can build the suite's modules."""
        try:
            return platform.freedesktop_os_release().get("VERSION_CODENAME") == self.name
        except OSError:
            return False

    def sources(self):
        """The lines of its sources.list."""
        names = [self.base, *([self.name] if self.name != self.base else [])]
        if self.base not in ("sid", "unstable", "experimental"):
            names.append(f"{self.base}-updates")
        lines = [f"deb [signed-by={_KEYS}] {self.mirror} {name} main\n" for name in names]
        if len(names) > 1:
            security = self.mirror.removesuffix("/debian") + "/debian-security"
            lines.append(f"deb [signed-by={_KEYS}] {security} {self.base}-security main\n")
        return "".join(lines)

    def update(self):
        """Fetches the package lists, once a day; if that fails, keeps the last ones."""
        need("apt-get", "apt")
        lists, stamp = self.directory / "apt/lists", self.directory / "apt/updated"
        sources = self.directory / "apt/sources.list"
        with self.cache.lock(f"apt-{self.name}"):
            if stamp.exists() and sources.read_text(encoding="ascii") == self.sources() \
                    and time.time() - stamp.stat().st_mtime < _DAY:
                return
            for name in ("lists/partial", "cache/archives/partial"):
                (self.directory / "apt" / name).mkdir(parents=True, exist_ok=True)
            sources.write_text(self.sources(), encoding="ascii")
            note(f"fetching the package lists of {self.name}")
            code, said = attempt(["apt-get", "-q", *self._options, "-oAcquire::Retries=2", "update"], 900)
            errors = re.findall(r"^(?:E|W|Err).*", said, re.M)
            if code == 0 and not errors:
                stamp.touch()
            elif not any(lists.glob("*_Packages*")) or not stamp.exists():
                raise Failure(UNKNOWN, f"the mirror {self.mirror} has no package lists of {self.name} for us: "
                              + (errors[0] if errors else "apt-get update did not end"))

    def show(self, package):
        """The fields of the newest version, or nothing if there is no such package."""
        code, said = attempt(["apt-cache", *self._options, "show", "--no-all-versions", package], 120)
        return dict(re.findall(r"^(\S+): (.*)", said, re.M)) if code == 0 else {}

    def _target(self, metapackage, pattern):
        found = re.search(pattern, self.show(metapackage).get("Depends", ""))
        if not found:
            raise Failure(UNKNOWN, f"{self.name} has no {metapackage}")
        return found[1]

    def kernel_release(self):
        return self._target("linux-image-amd64", r"linux-image-(\S+)")

    def source_version(self):
        return self._target("linux-source", r"linux-source-(\S+)")

    def with_parts(self, package):
        """The package and the kernel packages that it depends on, directly or not."""
        found, ahead = [], [package]
        while ahead:
            name = ahead.pop()
            if name in found:
                continue
            fields = self.show(name)
            if fields:
                found.append(name)
                ahead += re.findall(_LINUX, fields.get("Depends", ""))
        return found

    def download(self, directory, *packages):
        """Downloads the packages' files to a directory."""
        directory.mkdir(parents=True, exist_ok=True)
        command(["apt-get", "-q", *self._options, "-oAcquire::Retries=2", "download", *packages], 3600,
                f"cannot fetch {' '.join(packages)} of {self.name}", cwd=directory)
        return sorted(directory.glob("*.deb"))

    def unpack(self, target, *packages, only=()):
        """Fetches packages and unpacks them into a directory; `only`: patterns of what to unpack."""
        need("dpkg-deb", "dpkg")
        for file in self.download(target / "packages", *packages):
            if only:
                _unpack_some(file, target, only)
            else:
                command(["dpkg-deb", "-x", file, target], 900, f"cannot unpack {file.name} into {target}")
            file.unlink()
        (target / "packages").rmdir()

    def chroot(self, *packages):
        """Makes a system of this suite with these packages, to build in. Returns its directory. Only root can."""
        need("debootstrap", "debootstrap")
        root = self.directory / "chroot"
        with self.cache.lock(f"chroot-{self.name}"):
            if not (root / "ready").exists():
                if os.geteuid() != 0:
                    raise Failure(UNKNOWN, f"the modules for {self.name} are built in a system of that suite, which only "
                                           "root can make: run this as root")
                note(f"making a system of {self.name} to build modules in (some minutes)")
                with self.cache.making(root) as part:
                    # In namespaces of its own, so that no mounts and processes remain.
                    command(["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
                             "debootstrap", "--variant=minbase", f"--keyring={_KEYS}", self.base, part, self.mirror],
                            3600, f"cannot make a system of {self.name}", pattern="^E:")
                    (part / "etc/apt/sources.list").write_text(self.sources(), encoding="ascii")
                    (part / "ready").touch()
            missing = [name for name in packages if not (root / f"var/lib/dpkg/info/{name}.list").exists()]
            if missing:
                self.inside(root, ["apt-get", "-q", "update"], 900, f"no package lists inside the system of {self.name}")
                self.inside(root, ["apt-get", "-qy", "--no-install-recommends", *self._prefer,
                                   "-oDPkg::Options::=--force-unsafe-io", "install", *missing], 3600,
                            f"cannot install {' '.join(missing)} into the system of {self.name}")
        return root

    @staticmethod
    def inside(root, argv, limit, failed):
        """Runs a command in such a system."""
        command(["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
                 "chroot", root, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C",
                 "DEBIAN_FRONTEND=noninteractive", *argv], limit, failed, pattern=r"^E:|error|\*\*\*")
