// Whether a write(2) may wait in memory, or must go to the disk at once, as the disk may refuse it.
#pragma once

#include "fusefs/base/fd.hpp"
#include "fusefs/base/mutex.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>

namespace partialfs::file {

/// A program does not check again after write(2) has returned: if the disk then has no room for the
/// bytes, they are lost silently. So bytes wait in memory only where there is much more room than
/// all waiting bytes can need. Where room is short or quotas are enforced, they are written at
/// once. Thread-safe; its mutex is a leaf.
class SpaceGuard {
  public:
    /// Room in bytes that is left for others and for the filesystem's own metadata.
    static constexpr std::uint64_t kMargin = std::uint64_t{16} << 20U;

    /// Whether `bytes` more may wait. `file` lies on the filesystem `device`; `waiting` bytes wait
    /// already. Asks the filesystem again after a quarter of a second, or when a quarter of the
    /// room that it had is taken.
    [[nodiscard]] bool may_wait(const base::Fd& file, dev_t device, std::uint64_t bytes,
                                std::uint64_t waiting);

  private:
    struct Known {
        std::chrono::steady_clock::time_point until;
        std::uint64_t left = 0; ///< bytes that may still wait before the filesystem is asked again
    };
    base::Mutex mutex_; ///< a leaf
    std::map<dev_t, Known> known_ GUARDED_BY(mutex_);
};

} // namespace partialfs::file
