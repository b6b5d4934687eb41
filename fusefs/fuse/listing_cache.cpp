#include "fusefs/fuse/listing_cache.hpp"

#include <sys/statvfs.h>

#include <cstdint>

namespace partialfs::fuse {
namespace {

/// Filesystems stamp changes with the kernel's coarse clock, whose ticks last up to 10 ms.
constexpr std::int64_t kTick = 10'000'000; // nanoseconds
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr time_t kDay{24L * 60 * 60};

bool same(const timespec& a, const timespec& b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/// Whether `stamp` lies at least two ticks before `now`: what changes from now on gets a later one.
bool is_past(const timespec& stamp, const timespec& now) {
    const time_t seconds = now.tv_sec - stamp.tv_sec;
    return seconds > 1 ||
           (seconds >= 0 && seconds * kSecond + now.tv_nsec - stamp.tv_nsec >= 2 * kTick);
}

bool not_after(const timespec& a, const timespec& b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec <= b.tv_nsec;
}

/// As relatime_need_update() of the kernel (fs/inode.c).
bool moves_atime(const struct stat& status, const timespec& now, AtimeRule rule) {
    return rule == AtimeRule::always ||
           (rule == AtimeRule::relative && (not_after(status.st_atim, status.st_mtim) ||
                                            not_after(status.st_atim, status.st_ctim) ||
                                            now.tv_sec - status.st_atim.tv_sec >= kDay));
}

} // namespace

AtimeRule atime_rule_of(int fd) {
    struct statvfs status{};
    if (::fstatvfs(fd, &status) != 0) {
        return AtimeRule::always;
    }
    if ((status.f_flag & (ST_NOATIME | ST_NODIRATIME | ST_RDONLY)) != 0) {
        return AtimeRule::never;
    }
    return (status.f_flag & ST_RELATIME) != 0 ? AtimeRule::relative : AtimeRule::always;
}

bool ListingCache::may_keep(const struct stat& status, const timespec& now,
                            const std::function<AtimeRule()>& rule) {
    const base::Lock lock(mutex_);
    const bool unchanged =
        last_ && same(last_->mtime, status.st_mtim) && same(last_->ctime, status.st_ctim);
    if (!unchanged) {
        last_.reset();
        if (is_past(status.st_mtim, now) && is_past(status.st_ctim, now)) {
            last_.emplace(status.st_mtim, status.st_ctim);
        }
    }
    return unchanged && !moves_atime(status, now, rule());
}

} // namespace partialfs::fuse
