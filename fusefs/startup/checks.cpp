#include "fusefs/startup/checks.hpp"

#include "fusefs/backing/directory_stream.hpp"
#include "fusefs/base/fd.hpp"
#include "fusefs/base/try.hpp"
#include "fusefs/model/types.hpp"
#include "fusefs/startup/directory_id.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace partialfs::startup {
namespace {

namespace fs = std::filesystem;
using base::Fd;

std::string text_of(int error) {
    return std::generic_category().message(error);
}

std::unexpected<std::string> wrong(std::string message) {
    return std::unexpected(std::move(message));
}

std::string in_quotes(const fs::path& path) {
    return "'" + path.string() + "'";
}

/// Whether something is mounted at `directory`.
bool is_mount_point(const fs::path& directory) {
    struct statx status{};
    if (::statx(AT_FDCWD, directory.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &status) !=
        0) {
        return false;
    }
    if ((status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0) {
        return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    }
    struct stat self{};
    struct stat parent{};
    return ::stat(directory.c_str(), &self) == 0 &&
           ::stat((directory / "..").c_str(), &parent) == 0 && self.st_dev != parent.st_dev;
}

/// The name of an entry of the directory; empty if it has none.
base::Result<std::string> first_entry(const fs::path& directory) {
    const auto object = TRY(Fd::open(AT_FDCWD, directory.c_str(), O_PATH | O_DIRECTORY));
    auto stream = TRY(backing::DirectoryStream::open(object));
    off_t position = 0;
    for (;;) {
        const auto entry = TRY(stream.at(position));
        if (!entry) {
            return std::string{};
        }
        if (entry->name != "." && entry->name != "..") {
            return entry->name;
        }
        position = entry->next;
    }
}

/// The mount point is not SOURCE and does not lie in it. Compares identities, not names, so bind
/// mounts are recognised.
Check check_apart(const fs::path& mountpoint, const fs::path& source) {
    std::error_code error;
    const auto source_id = id_of(AT_FDCWD, source.c_str());
    const auto mountpoint_id = id_of(AT_FDCWD, mountpoint.c_str());
    if (!source_id || !mountpoint_id) {
        return {};
    }
    if (*source_id == *mountpoint_id) {
        return wrong("MOUNTPOINT " + in_quotes(mountpoint) + " is SOURCE " + in_quotes(source) +
                     " itself, so nobody could see what is on disk: choose another directory");
    }
    const std::vector<Ancestor> above = ancestors_of(fs::canonical(mountpoint, error));
    if (std::ranges::find(above, *source_id, &Ancestor::id) != above.end()) {
        return wrong("MOUNTPOINT " + in_quotes(mountpoint) + " lies inside SOURCE " +
                     in_quotes(source) +
                     ", so the mount would contain itself: choose a directory outside");
    }
    return {};
}

Check check_empty(const fs::path& mountpoint) {
    const auto entry = first_entry(mountpoint);
    if (!entry) {
        return wrong("MOUNTPOINT " + in_quotes(mountpoint) + " cannot be read: " +
                     text_of(entry.error().value) + "; choose a directory of your own");
    }
    if (!entry->empty()) {
        return wrong("MOUNTPOINT " + in_quotes(mountpoint) + " is not empty (it has " +
                     in_quotes(*entry) +
                     "): choose an empty directory, or mount over it with -o nonempty");
    }
    return {};
}

bool in_path(const char* program) {
    const char* path = ::getenv("PATH");
    const std::string directories = path == nullptr ? "/usr/bin:/bin" : path;
    std::size_t begin = 0;
    while (begin <= directories.size()) {
        const std::size_t end = std::min(directories.find(':', begin), directories.size());
        const fs::path candidate = fs::path(directories.substr(begin, end - begin)) / program;
        if (::access(candidate.c_str(), X_OK) == 0) {
            return true;
        }
        begin = end + 1;
    }
    return false;
}

Check check_fuse_device() {
    if (::access("/dev/fuse", F_OK) != 0) {
        return wrong("/dev/fuse is missing: load the module with 'modprobe fuse', or start the "
                     "container with --device /dev/fuse --cap-add SYS_ADMIN");
    }
    struct stat status{};
    if (::stat("/dev/fuse", &status) == 0 && status.st_rdev != makedev(10, 229)) {
        return wrong("/dev/fuse is not the FUSE device: remove it and load the module with "
                     "'modprobe fuse', or make it with 'mknod /dev/fuse c 10 229'");
    }
    const auto device = Fd::open(AT_FDCWD, "/dev/fuse", O_RDWR);
    if (device) {
        return {};
    }
    const int error = device.error().value;
    if (::geteuid() != 0 && in_path("fusermount3")) {
        return {}; // fusermount3 is setuid root, and opens the device for this process
    }
    return wrong("/dev/fuse cannot be opened: " + text_of(error) +
                 (::geteuid() == 0
                      ? "; load the module with 'modprobe fuse', or start the container with "
                        "--device /dev/fuse --cap-add SYS_ADMIN"
                      : "; run as root, or install fusermount3 (package fuse3)"));
}

} // namespace

Check check_source(const fs::path& source) {
    const auto fd = Fd::open(AT_FDCWD, source.c_str(), O_RDONLY | O_DIRECTORY);
    if (fd) {
        return {};
    }
    switch (fd.error().value) {
    case ENOENT:
        return wrong("SOURCE " + in_quotes(source) + " does not exist: create it, or name another");
    case ENOTDIR:
        return wrong("SOURCE " + in_quotes(source) + " is not a directory: name a directory");
    case EACCES:
    case EPERM:
        return wrong("SOURCE " + in_quotes(source) +
                     " cannot be read: Permission denied; change its mode, or run as its owner");
    default:
        return wrong("SOURCE " + in_quotes(source) + " cannot be opened: " +
                     text_of(fd.error().value) + "; name a directory that can be read");
    }
}

Check check_mountpoint(const fs::path& mountpoint, const fs::path& source, bool nonempty) {
    // FORCE_SYNC, as the kernel may still have cached attributes of a dead filesystem's root.
    struct statx status{};
    if (::statx(AT_FDCWD, mountpoint.c_str(), AT_STATX_FORCE_SYNC, STATX_TYPE, &status) != 0) {
        switch (errno) {
        case ENOENT:
            return wrong("MOUNTPOINT " + in_quotes(mountpoint) +
                         " does not exist: create it with mkdir");
        case ENOTCONN:
            return wrong("MOUNTPOINT " + in_quotes(mountpoint) +
                         " holds the mount of a filesystem that has died: unmount it first with "
                         "'umount " +
                         mountpoint.string() + "'");
        default:
            return wrong("MOUNTPOINT " + in_quotes(mountpoint) + " is out of reach: " +
                         text_of(errno) + "; choose a directory of your own");
        }
    }
    if (!S_ISDIR(status.stx_mode)) {
        return wrong("MOUNTPOINT " + in_quotes(mountpoint) +
                     " is not a directory: name an empty directory");
    }
    TRY(check_apart(mountpoint, source));
    if (is_mount_point(mountpoint)) {
        return wrong("MOUNTPOINT " + in_quotes(mountpoint) +
                     " is already mounted: unmount it first with 'umount " + mountpoint.string() +
                     "', or choose another");
    }
    if (::geteuid() != 0 && ::access(mountpoint.c_str(), W_OK) != 0) {
        return wrong("MOUNTPOINT " + in_quotes(mountpoint) +
                     " is not writable by you: choose a directory of your own, or run as root");
    }
    return nonempty ? Check{} : check_empty(mountpoint);
}

Check check_system() {
    const long page_size = ::sysconf(_SC_PAGESIZE);
    if (page_size != static_cast<long>(model::kPageSize)) {
        return wrong("this kernel's pages have " + std::to_string(page_size) +
                     " bytes: partialfs needs a kernel with 4096-byte pages");
    }
    if (::access("/proc/self/fd", X_OK) != 0) {
        return wrong("/proc is not mounted: mount it with 'mount -t proc proc /proc'");
    }
    return check_fuse_device();
}

} // namespace partialfs::startup
