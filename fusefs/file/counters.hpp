// Counters over all files of one mount.
#pragma once

#include <atomic>
#include <cstdint>

namespace partialfs::file {

/// Since the mount began; `.partialfs/status` shows them. Any thread may add to them.
struct Counters {
    std::atomic<std::uint64_t> explicit_writes{0};
    std::atomic<std::uint64_t> writepages{0};
    std::atomic<std::uint64_t> pages_found_dirty{0};
    std::atomic<std::uint64_t> blocks_flushed{0}; ///< by commits
    std::atomic<std::uint64_t> blocks_written{0}; ///< by writepage
    std::atomic<std::uint64_t> blocks_skipped{0}; ///< by writepage
    std::atomic<std::uint64_t> write_errors{0};
};

} // namespace partialfs::file
