#include "tests/mounted/differential/world.hpp"

#include <sys/mman.h>
#include <sys/sysmacros.h>

#include <sstream>

namespace partialfs::differential {
namespace {

Identity identity_at(int fd, const char* path, int flags) {
    struct statx status{};
    if (::statx(fd, path, flags, STATX_INO | STATX_BTIME, &status) != 0) {
        return {};
    }
    return {status.stx_ino,
            stamp_of({static_cast<time_t>(status.stx_btime.tv_sec), status.stx_btime.tv_nsec})};
}

/// Everything of a status that must be the same, except the size.
std::string attributes_of(const struct stat& status) {
    std::ostringstream text;
    text << "mode 0" << std::oct << status.st_mode << std::dec << " owner " << status.st_uid << ':'
         << status.st_gid << " links " << status.st_nlink << " device " << major(status.st_rdev)
         << ':' << minor(status.st_rdev);
    return text.str();
}

timespec time_of(const statx_timestamp& time) {
    return {static_cast<time_t>(time.tv_sec), time.tv_nsec};
}

/// lstat(2), but with a directory's attributes from the daemon, not from the kernel's cache: the
/// reply to another process' request from before a change of the directory may fill the cache after
/// the change, as fuse_dir_changed() does not change the version of the attributes.
int status_of(const std::string& path, struct stat& status) {
    if (::lstat(path.c_str(), &status) != 0) {
        return -1;
    }
    if (!S_ISDIR(status.st_mode)) {
        return 0;
    }
    struct statx fresh{};
    if (::statx(AT_FDCWD, path.c_str(), AT_STATX_FORCE_SYNC | AT_SYMLINK_NOFOLLOW,
                STATX_BASIC_STATS, &fresh) != 0) {
        return -1;
    }
    status.st_mode = fresh.stx_mode;
    status.st_nlink = fresh.stx_nlink;
    status.st_mtim = time_of(fresh.stx_mtime);
    status.st_ctim = time_of(fresh.stx_ctime);
    return 0;
}

/// The times of `path`, or of `fd` if the path is empty: from the daemon, not from the kernel's
/// cache. 0 if the daemon reports an error.
TimeRules::Told told_by_daemon(int fd, const std::string& path) {
    struct statx fresh{};
    const int flags = AT_STATX_FORCE_SYNC | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    if (::statx(fd, path.c_str(), flags, STATX_MTIME | STATX_CTIME, &fresh) != 0) {
        return {};
    }
    return {stamp_of(time_of(fresh.stx_mtime)), stamp_of(time_of(fresh.stx_ctime))};
}

} // namespace

Mapping::~Mapping() {
    for (const Side side : kSides) {
        ::munmap(address_[side], kMappedBytes);
    }
}

Identity identity_of(int plain_fd) {
    return identity_at(plain_fd, "", AT_EMPTY_PATH);
}

Identity identity_of(const std::string& plain_path, bool follow) {
    return identity_at(AT_FDCWD, plain_path.c_str(), follow ? 0 : AT_SYMLINK_NOFOLLOW);
}

Handle* World::handle(unsigned slot) {
    Handle& handle = handles_.at(slot % kHandles);
    return handle.fd.plain ? &handle : nullptr;
}

Mask World::mask_of(const Identity& file) const {
    if (!is_stormy(file)) {
        return {};
    }
    return {storm_->begin_offset(), storm_->end_offset()};
}

void World::calm() {
    if (storm_) {
        const bool stored = storm_->end();
        storm_.reset();
        checks_.require(Check::bytes, stored, "a store into the file raised SIGBUS");
    }
}

void World::look_at(std::string_view what, const Handle& handle) {
    Both<struct stat> status;
    const auto answers =
        answers_of([&](Side side) { return ::fstat(handle.fd[side].get(), &status[side]); });
    if (checks_.same(std::string(what) + ", fstat", answers)) {
        compare(what, identity_of(handle.fd.plain.get()), status,
                [&] { return told_by_daemon(handle.fd.mounted.get(), ""); });
    }
}

void World::look_at(std::string_view what, unsigned name) {
    look_at_path(what, path_of(name));
}

void World::look_at_parent(std::string_view what, unsigned name) {
    const std::string_view path = path_of(name);
    const std::size_t slash = path.rfind('/');
    look_at_path(what, slash == std::string_view::npos ? "." : path.substr(0, slash));
}

void World::look_at_path(std::string_view what, std::string_view path) {
    const std::string text = std::string(what) + ", lstat " + std::string(path);
    Both<struct stat> status;
    const auto answers =
        answers_of([&](Side side) { return status_of(base_[side] / path, status[side]); });
    if (checks_.same(text, answers)) {
        compare(text, identity_of(base_.plain / path, false), status,
                [&] { return told_by_daemon(AT_FDCWD, base_.mounted / path); });
    }
}

void World::compare(std::string_view what, const Identity& file, const Both<struct stat>& status,
                    const TimeRules::AskDaemon& ask) {
    checks_.same_text(what, for_both([&](Side side) { return attributes_of(status[side]); }));
    if (!S_ISDIR(status.plain.st_mode)) {
        checks_.require(Check::sizes, status.mounted.st_size == status.plain.st_size,
                        std::string(what) + ": the mount says " +
                            std::to_string(status.mounted.st_size) + ", the plain directory " +
                            std::to_string(status.plain.st_size));
    }
    const auto [known, is_new] = inodes_.emplace(file, status.mounted.st_ino);
    checks_.require(Check::inodes, known->second == status.mounted.st_ino,
                    std::string(what) + ": the inode number was " + std::to_string(known->second) +
                        " and is now " + std::to_string(status.mounted.st_ino));
    if (S_ISREG(status.plain.st_mode) || S_ISDIR(status.plain.st_mode)) {
        times_.look(what, file, status, ask);
    }
}

} // namespace partialfs::differential
