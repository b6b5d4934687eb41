// The contents of blocks of SOURCE's files from before their last write, for reads that are to
// return a stale block.
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

/// Keeps at most kKept blocks of 4096 bytes: beyond that the one noted first is dropped. `period`
/// is FaultBook::wants_old_blocks(): blocks noted in another period are dropped. Thread-safe; its
/// mutex is a leaf.
class StaleBlocks {
  public:
    static constexpr std::size_t kBlockSize = 4096;
    static constexpr std::size_t kKept = 16384; ///< 64 MiB

    /// To be called before `length` bytes at `offset` of the file are written: notes the contents
    /// of the blocks that they touch. If `fd` cannot be read, nothing is noted.
    void note(std::uint64_t period, int fd, off_t offset, std::size_t length);
    /// Lays the noted contents of blocks over `bytes`, which were read at `offset`. Whether there
    /// were any.
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
