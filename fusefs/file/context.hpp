// What the files of one mount share.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/backing/filesystem_sync.hpp"
#include "fusefs/file/counters.hpp"
#include "fusefs/file/settings.hpp"
#include "fusefs/file/space_guard.hpp"
#include "fusefs/file/stamp_clock.hpp"

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
    BufferBudget& budget;
    LedgerBook& ledger;
    trace::Recorder& trace;
    Settings settings;
    Counters counters{};
    StampClock clock{};
    SpaceGuard space{};
    /// Lets a commit sync many files together.
    backing::FilesystemSync whole_filesystem{};
    /// Null: the power cannot be cut.
    power::Power* power = nullptr;

    /// The way to SOURCE for a file object made now: that of the present boot, if power can be cut.
    [[nodiscard]] backing::FileIo& disk() const;
};

} // namespace partialfs::file
