#include "fusefs/backing/object.hpp"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <climits>
#include <cstdio>

namespace partialfs::backing {
namespace {

Result<void> done(int answer) {
    if (answer != 0) {
        return last_error();
    }
    return {};
}

Result<std::size_t> counted(ssize_t count) {
    if (count < 0) {
        return last_error();
    }
    return static_cast<std::size_t>(count);
}

} // namespace

ProcPath::ProcPath(const Fd& fd) : path_{} {
    std::snprintf(path_.data(), path_.size(), "/proc/self/fd/%d", fd.get());
}

Result<Object> open_object(const Fd& directory, const char* name) {
    auto fd = Fd::open(directory.get(), name, O_PATH | O_NOFOLLOW);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    return object_of(std::move(*fd));
}

Result<Object> object_of(Fd fd) {
    const auto status = status_of(fd);
    if (!status) {
        return std::unexpected(status.error());
    }
    return Object{std::move(fd), *status};
}

Result<struct stat> status_of(const Fd& object) {
    struct stat status{};
    if (::fstat(object.get(), &status) != 0) {
        return last_error();
    }
    return status;
}

Result<std::string> link_target(const Fd& symlink) {
    std::string target(PATH_MAX, '\0');
    const ssize_t length = ::readlinkat(symlink.get(), "", target.data(), target.size());
    if (length < 0) {
        return last_error();
    }
    target.resize(static_cast<std::size_t>(length));
    return target;
}

Result<void> change_mode(const Fd& object, mode_t mode) {
    return done(::chmod(ProcPath(object).c_str(), mode));
}

Result<void> change_owner(const Fd& object, uid_t uid, gid_t gid) {
    return done(::fchownat(object.get(), "", uid, gid, AT_EMPTY_PATH));
}

Result<void> change_times(const Fd& object, const std::array<timespec, 2>& times) {
    return done(::utimensat(AT_FDCWD, ProcPath(object).c_str(), times.data(), 0));
}

Result<void> add_name(const Fd& object, const Fd& directory, const char* name) {
    return done(
        ::linkat(AT_FDCWD, ProcPath(object).c_str(), directory.get(), name, AT_SYMLINK_FOLLOW));
}

Result<std::size_t> get_xattr(const Fd& object, const char* name, std::span<char> to) {
    return counted(::getxattr(ProcPath(object).c_str(), name, to.data(), to.size()));
}

Result<std::size_t> list_xattrs(const Fd& object, std::span<char> to) {
    return counted(::listxattr(ProcPath(object).c_str(), to.data(), to.size()));
}

Result<void> set_xattr(const Fd& object, const char* name, std::span<const char> value, int flags) {
    return done(::setxattr(ProcPath(object).c_str(), name, value.data(), value.size(), flags));
}

Result<void> remove_xattr(const Fd& object, const char* name) {
    return done(::removexattr(ProcPath(object).c_str(), name));
}

} // namespace partialfs::backing
