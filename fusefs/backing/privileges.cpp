#include "fusefs/backing/privileges.hpp"

#include "fusefs/base/try.hpp"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>

namespace partialfs::backing {
namespace {

base::Result<void> unless_forbidden(int returned) {
    if (returned != 0 && errno != EPERM) {
        return base::last_error();
    }
    return {};
}

/// All that `fd` has, if anything or nothing.
base::Result<Privileges> read(int fd) {
    Privileges found;
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        return base::last_error();
    }
    found.mode = status.st_mode & 07777U;
    const ssize_t size =
        ::fgetxattr(fd, kCapabilities, found.capabilities.data(), found.capabilities.size());
    if (size < 0 && errno != ENODATA && errno != EOPNOTSUPP) {
        return base::last_error();
    }
    found.size = size < 0 ? 0 : static_cast<std::size_t>(size);
    return found;
}

} // namespace

base::Result<std::optional<Privileges>> privileges_of(int fd) {
    const Privileges found = TRY(read(fd));
    if ((found.mode & (S_ISUID | S_ISGID)) == 0 && found.size == 0) {
        return std::nullopt;
    }
    return found;
}

base::Result<void> give_back(int fd, const Privileges& had) {
    const Privileges has = TRY(read(fd));
    if (has.mode != had.mode) {
        TRY(unless_forbidden(::fchmod(fd, had.mode)));
    }
    if (has.size != had.size) {
        TRY(unless_forbidden(::fsetxattr(fd, kCapabilities, had.capabilities.data(), had.size, 0)));
    }
    return {};
}

} // namespace partialfs::backing
