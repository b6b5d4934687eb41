// Whether a write(2) may wait in memory, or must go to the disk at once because that may refuse it.
#pragma once

#include "fusefs/base/fd.hpp"
#include "fusefs/base/mutex.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>

namespace partialfs::file {

/// Bytes that are taken while the disk has no room for them would be lost without a word: no
/// program asks again once write(2) has returned. So they wait in memory only where there is much
/// more room than all that waits can need; where it is short, and where quotas bind, the disk is
/// asked at once. Thread-safe; its mutex is a leaf.
class SpaceGuard {
  public:
    /// Room that is left to others and to the filesystem's own metadata, in bytes.
    static constexpr std::uint64_t kMargin = std::uint64_t{16} << 20U;

    /// Whether `bytes` more may wait: `file` lies on the filesystem `device`, and `waiting` bytes
    /// do so already. Asks the filesystem anew after a quarter of a second, or when a quarter of
    /// the room that was left is taken.
    [[nodiscard]] bool may_wait(const base::Fd& file, dev_t device, std::uint64_t bytes,
                                std::uint64_t waiting);

  private:
    struct Known {
        std::chrono::steady_clock::time_point until;
        std::uint64_t left = 0; ///< bytes that may be taken before it is asked again
    };
    base::Mutex mutex_; ///< a leaf
    std::map<dev_t, Known> known_ GUARDED_BY(mutex_);
};

} // namespace partialfs::file
