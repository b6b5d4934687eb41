// What stood in blocks of SOURCE's files before they were last written: for reads that bring a
// stale block.
#pragma once

#include "fusefs/base/mutex.hpp"

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <tuple>

namespace partialfs::faults {

/// Blocks of 4096 bytes, at most kKept of them: beyond that the one noted first is forgotten.
/// `period` is FaultBook::wants_old_blocks(): what was noted in another one is forgotten.
/// Thread-safe; its mutex is a leaf.
class StaleBlocks {
  public:
    static constexpr std::size_t kBlockSize = 4096;
    static constexpr std::size_t kKept = 16384; ///< 64 MiB

    /// `length` bytes at `offset` of the file are about to be written: notes what stands in the
    /// blocks that they touch. A descriptor that cannot be read notes nothing.
    void note(std::uint64_t period, int fd, off_t offset, std::size_t length);
    /// Lays over `bytes`, read at `offset`, what the blocks held before. Whether there was any.
    bool lay_over(std::uint64_t period, int fd, off_t offset, std::span<std::byte> bytes);

  private:
    using Key = std::tuple<dev_t, ino_t, std::uint64_t>; ///< with the number of the block
    using Block = std::array<std::byte, kBlockSize>;

    void begin(std::uint64_t period) REQUIRES(mutex_);

    base::Mutex mutex_;
    std::uint64_t period_ GUARDED_BY(mutex_) = 0;
    std::map<Key, Block> blocks_ GUARDED_BY(mutex_);
    std::deque<Key> order_ GUARDED_BY(mutex_); ///< in which they were first noted
};

} // namespace partialfs::faults
