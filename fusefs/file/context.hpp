// What all file data of one mount share.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/backing/filesystem_sync.hpp"
#include "fusefs/file/space_guard.hpp"
#include "fusefs/file/stamp_clock.hpp"
#include "fusefs/model/contract.hpp"
#include "fusefs/model/types.hpp"
#include "fusefs/model/write_error.hpp"

#include <atomic>
#include <cstdint>

namespace partialfs::power {
class Power;
}
namespace partialfs::trace {
class Recorder;
}

namespace partialfs::file {

class BufferBudget;
class LedgerBook;

/// Made once, before the first inode, and outlives the last. The references are to objects that
/// are thread-safe by themselves.
struct Context {
    backing::FileIo& io; ///< see disk()
    model::BlockSize block_size;
    BufferBudget& budget;
    LedgerBook& ledger;
    trace::Recorder& trace;
    StampClock clock{};
    SpaceGuard space{};
    /// These may be changed at any time, and hold from the next decision on.
    std::atomic<model::Contract> contract;
    std::atomic<model::FlushPolicy> policy;
    std::atomic<model::AfterWriteError> after_write_error{model::AfterWriteError::keep};
    /// Hashes of cached pages are kept, for the probe that retrieves and compares.
    bool compare_pages = false;
    /// The daemon may open any file of SOURCE, whatever its mode (CAP_DAC_OVERRIDE).
    bool reopens_any_file = false;
    /// A commit of many files syncs them together by this.
    backing::FilesystemSync whole_filesystem{};
    /// Null: the power cannot be cut.
    power::Power* power = nullptr;

    /// SOURCE for what is made now.
    [[nodiscard]] backing::FileIo& disk() const;

    std::atomic<std::uint64_t> explicit_writes{0};
    std::atomic<std::uint64_t> writepages{0};
    std::atomic<std::uint64_t> pages_found_dirty{0};
    std::atomic<std::uint64_t> blocks_flushed{0}; ///< by commits
    std::atomic<std::uint64_t> blocks_written{0}; ///< by writepage
    std::atomic<std::uint64_t> blocks_skipped{0}; ///< by writepage
    std::atomic<std::uint64_t> write_errors{0};
};

} // namespace partialfs::file
