// The clock for all time stamps of a mount.
#pragma once

#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace partialfs::file {

/// Gives the stamps that the daemon makes itself (for data that waits in memory) in the way of
/// SOURCE's filesystem: from the kernel's coarse clock, but never before a stamp that the mount has
/// shown. Since Linux 6.13 some filesystems give a finer stamp once the last one has been read
/// (inode_set_ctime_current()); the coarse clock is then behind it. Thread-safe, without a lock.
class StampClock {
  public:
    /// Now.
    [[nodiscard]] timespec now() {
        const std::int64_t stamp = std::max(read(CLOCK_REALTIME_COARSE), latest_.load());
        return {.tv_sec = stamp / kSecond, .tv_nsec = stamp % kSecond};
    }
    /// To be called with SOURCE's attributes when a program gets the times of an object. Only ctime
    /// is used, as the kernel sets no mtime beyond it. An mtime that a program has set may lie
    /// beyond ctime, and beyond SOURCE's next stamps, as the program's clock is finer. now() must
    /// not follow such an mtime: SOURCE's ctime, which is shown once now()'s stamp is forgotten,
    /// would then be older.
    void given_out(const struct stat& status) {
        const timespec& time = status.st_ctim;
        const std::int64_t now = read(CLOCK_REALTIME);
        // A stamp from the future comes from another clock (a backup, a machine whose clock was
        // wrong), and may overflow a count of nanoseconds.
        if (time.tv_sec < 0 || time.tv_sec > now / kSecond) {
            return;
        }
        const std::int64_t stamp = time.tv_sec * kSecond + time.tv_nsec;
        std::int64_t latest = latest_.load(std::memory_order_relaxed);
        while (stamp > latest && stamp <= now && !latest_.compare_exchange_weak(latest, stamp)) {
        }
    }

  private:
    static constexpr std::int64_t kSecond = 1'000'000'000;

    static std::int64_t read(clockid_t clock) {
        timespec now{};
        clock_gettime(clock, &now);
        return now.tv_sec * kSecond + now.tv_nsec;
    }

    std::atomic<std::int64_t> latest_{0}; ///< nanoseconds since the epoch
};

} // namespace partialfs::file
