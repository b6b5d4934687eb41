#include "fusefs/backing/object.hpp"

#include "fusefs/base/try.hpp"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <climits>
#include <cstdio>

namespace partialfs::backing {
namespace {

base::Result<void> done(int answer) {
    if (answer != 0) {
        return base::last_error();
    }
    return {};
}

base::Result<std::size_t> counted(ssize_t count) {
    if (count < 0) {
        return base::last_error();
    }
    return static_cast<std::size_t>(count);
}

} // namespace

ProcPath::ProcPath(const base::Fd& fd) : path_{} {
    std::snprintf(path_.data(), path_.size(), "/proc/self/fd/%d", fd.get());
}

base::Result<Object> open_object(const base::Fd& directory, const char* name) {
    auto fd = TRY(base::Fd::open(directory.get(), name, O_PATH | O_NOFOLLOW));
    return object_of(std::move(fd));
}

base::Result<Object> object_of(base::Fd fd) {
    const auto status = TRY(status_of(fd));
    return Object{std::move(fd), status};
}

base::Result<struct stat> status_of(const base::Fd& object) {
    struct stat status{};
    if (::fstat(object.get(), &status) != 0) {
        return base::last_error();
    }
    return status;
}

base::Result<std::string> link_target(const base::Fd& symlink) {
    std::string target(PATH_MAX, '\0');
    const ssize_t length = ::readlinkat(symlink.get(), "", target.data(), target.size());
    if (length < 0) {
        return base::last_error();
    }
    target.resize(static_cast<std::size_t>(length));
    return target;
}

std::string path_below(const base::Fd& object, const std::string& directory) {
    const base::Result<struct stat> status = status_of(object);
    std::string path(PATH_MAX, '\0');
    const ssize_t length = ::readlink(ProcPath(object).c_str(), path.data(), path.size());
    if (!status || status->st_nlink == 0 || length < 0) {
        return {};
    }
    path.resize(static_cast<std::size_t>(length));
    const std::string prefix = directory == "/" ? directory : directory + '/';
    if (!path.starts_with(prefix)) {
        return {};
    }
    if (path.ends_with(" (deleted)")) {
        // Either part of the name, or appended by d_path() (fs/d_path.c) because this name is gone
        // while the object has others.
        struct stat named{};
        if (::lstat(path.c_str(), &named) != 0 || named.st_ino != status->st_ino ||
            named.st_dev != status->st_dev) {
            return {};
        }
    }
    return path.substr(prefix.size());
}

base::Result<void> change_mode(const base::Fd& object, mode_t mode) {
    return done(::chmod(ProcPath(object).c_str(), mode));
}

base::Result<void> change_owner(const base::Fd& object, uid_t uid, gid_t gid) {
    return done(::fchownat(object.get(), "", uid, gid, AT_EMPTY_PATH));
}

base::Result<void> change_times(const base::Fd& object, const std::array<timespec, 2>& times) {
    return done(::utimensat(AT_FDCWD, ProcPath(object).c_str(), times.data(), 0));
}

base::Result<void> add_name(const base::Fd& object, const base::Fd& directory, const char* name) {
    return done(
        ::linkat(AT_FDCWD, ProcPath(object).c_str(), directory.get(), name, AT_SYMLINK_FOLLOW));
}

base::Result<std::size_t> get_xattr(const base::Fd& object, const char* name, std::span<char> to) {
    return counted(::getxattr(ProcPath(object).c_str(), name, to.data(), to.size()));
}

base::Result<std::size_t> list_xattrs(const base::Fd& object, std::span<char> to) {
    return counted(::listxattr(ProcPath(object).c_str(), to.data(), to.size()));
}

base::Result<void> set_xattr(const base::Fd& object, const char* name, std::span<const char> value,
                             int flags) {
    return done(::setxattr(ProcPath(object).c_str(), name, value.data(), value.size(), flags));
}

base::Result<void> remove_xattr(const base::Fd& object, const char* name) {
    return done(::removexattr(ProcPath(object).c_str(), name));
}

} // namespace partialfs::backing
