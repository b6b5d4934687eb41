// Whether the kernel's copy of a directory's listing is still good.
//
// With FOPEN_CACHE_DIR the kernel keeps what READDIR has returned, and drops it when a name changes
// through the mount. It does not notice changes made in SOURCE itself, nor does a listing from its
// copy move SOURCE's atime. So each OPENDIR compares the directory with what it was at the OPENDIR
// before.
#pragma once

#include "fusefs/base/mutex.hpp"

#include <sys/stat.h>
#include <time.h>

#include <cstdint>
#include <functional>
#include <optional>

namespace partialfs::fuse {

/// When SOURCE's filesystem sets a directory's atime at a listing.
enum class AtimeRule : std::uint8_t {
    never,    ///< noatime, nodiratime
    relative, ///< relatime: only if atime is older than mtime or ctime, or older than a day
    always,   ///< strictatime
};
/// Of the filesystem that `fd` (O_PATH or any other) is on. If it cannot be found out: always.
AtimeRule atime_rule_of(int fd);

/// Of one directory. Any thread.
class ListingCache {
  public:
    /// The directory is being opened at `now` (CLOCK_REALTIME), and `status` is its stat(2).
    /// Whether the kernel may keep the copy of the listing that it may have: nothing has changed
    /// since the last call, and a listing would not move atime.
    /// `rule` is called only if it matters.
    bool may_keep(const struct stat& status, const timespec& now,
                  const std::function<AtimeRule()>& rule);

  private:
    struct Stamp {
        timespec mtime;
        timespec ctime;
    };

    base::Mutex mutex_; ///< a leaf
    /// Of the last call. Nothing if a further change might get the same stamps.
    std::optional<Stamp> last_ GUARDED_BY(mutex_);
};

} // namespace partialfs::fuse
