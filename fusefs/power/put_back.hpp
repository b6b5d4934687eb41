// The effect of a power cut on SOURCE: reverts those unsynced changes that the cut takes.
#pragma once

#include "fusefs/base/fd.hpp"
#include "fusefs/model/types.hpp"
#include "fusefs/power/command.hpp"
#include "fusefs/power/survival.hpp"
#include "fusefs/power/undo_store.hpp"

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <utility>
#include <vector>

namespace partialfs::power {

/// Identifies a file of SOURCE while it is held open.
struct FileKey {
    dev_t device = 0;
    ino_t number = 0;

    constexpr auto operator<=>(const FileKey&) const = default;
};

/// The places in the undo store of the former contents of a change's bytes, piece by piece.
using UndoPlaces = std::vector<UndoStore::Place>;

/// All unsynced changes, in the order in which they were made.
struct UndoLog {
    std::vector<std::pair<FileKey, base::Fd>> files; ///< by their number in the changes
    std::vector<Change> changes;
    std::vector<UndoPlaces> before; ///< the former contents, for each change
};

/// What a cut has taken from a file.
struct Taken {
    FileKey file;
    base::Fd fd;
    std::vector<model::ByteRange> bytes; ///< those that have changed, ascending
    model::ByteOffset size_before;
    model::ByteOffset size_after;
};

struct Reverted {
    std::vector<Taken> files;
    std::uint64_t sectors_kept = 0;
    std::uint64_t sectors_lost = 0;
    int error = 0; ///< the first errno with which something could not be put back
};

/// Reverts the changes of `log` that a cut with `tear` takes. Does not restore times. Takes over
/// the descriptors of `log`. No other thread may change the files or the store meanwhile.
Reverted put_back(UndoLog& log, const UndoStore& store, const Tear& tear);

} // namespace partialfs::power
