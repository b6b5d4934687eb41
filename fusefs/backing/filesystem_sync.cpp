#include "fusefs/backing/filesystem_sync.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <compare>
#include <utility>

namespace partialfs::backing {

namespace {

constexpr std::array<long, 2> kFilesystems{EXT4_SUPER_MAGIC /* ext2 and ext3, too */, TMPFS_MAGIC};

} // namespace

bool syncfs_tells_errors(std::string_view release) {
    std::pair<unsigned, unsigned> version{};
    const char* const end = release.end();
    const auto major = std::from_chars(release.begin(), end, version.first);
    if (major.ec != std::errc{} || major.ptr == end || *major.ptr != '.') {
        return false;
    }
    const auto minor = std::from_chars(major.ptr + 1, end, version.second);
    return minor.ec == std::errc{} && version >= std::pair{5U, 17U};
}

base::Result<void> FilesystemSync::sync(FileIo& io) const {
    if (io.syncfs(fd_.get()) != 0) {
        return base::last_error();
    }
    struct statfs filesystem{};
    if (::fstatfs(fd_.get(), &filesystem) != 0) {
        return base::last_error();
    }
    if ((filesystem.f_flags & ST_RDONLY) != 0) {
        return base::failed(EROFS);
    }
    return {};
}

FilesystemSync filesystem_sync_of(const std::string& directory) {
    utsname system{};
    if (::uname(&system) != 0 || !syncfs_tells_errors(system.release)) {
        return {};
    }
    auto fd = base::Fd::open(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY);
    struct statfs filesystem{};
    struct stat status{};
    if (!fd || ::fstatfs(fd->get(), &filesystem) != 0 || ::fstat(fd->get(), &status) != 0 ||
        std::ranges::find(kFilesystems, filesystem.f_type) == kFilesystems.end()) {
        return {};
    }
    return {std::move(*fd), status.st_dev};
}

} // namespace partialfs::backing
