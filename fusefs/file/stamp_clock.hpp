// The one clock that a mount's time stamps come from.
#pragma once

#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace partialfs::file {

/// Stamps what the daemon stamps itself (data that waits in memory) as SOURCE's filesystem stamps
/// the rest: with the kernel's coarse clock, and behind no stamp that the mount has given out.
/// Since Linux 6.13 some filesystems give a finer stamp once one has been read
/// (inode_set_ctime_current()), which the coarse clock then lags behind. Thread-safe, without a
/// lock.
class StampClock {
  public:
    /// Now.
    [[nodiscard]] timespec now() {
        const std::int64_t stamp = std::max(read(CLOCK_REALTIME_COARSE), latest_.load());
        return {.tv_sec = stamp / kSecond, .tv_nsec = stamp % kSecond};
    }
    /// A program is given times of what has these attributes in SOURCE. Its ctime stands for its
    /// mtime: the kernel moves no mtime past it. One that a program has set may lie past it, by the
    /// finer clock of the program, and past the stamps that SOURCE gives next: a stamp of ours must
    /// not follow it, or SOURCE's ctime, which is shown once ours is forgotten, would be older.
    void given_out(const struct stat& status) {
        const timespec& time = status.st_ctim;
        const std::int64_t now = read(CLOCK_REALTIME);
        // A stamp of the future is of another clock (a backup, a machine whose clock was wrong),
        // and may be of a time that nanoseconds cannot count to.
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
