// What a power cut does to SOURCE: of the changes that were not synced, those that it takes are put
// back.
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

/// Names a file of SOURCE while it is held open.
struct FileKey {
    dev_t device = 0;
    ino_t number = 0;

    constexpr auto operator<=>(const FileKey&) const = default;
};

/// Where the undo store has what stood in a change's bytes, piece by piece.
using UndoPlaces = std::vector<UndoStore::Place>;

/// All that is not synced, in the order in which it was changed.
struct UndoLog {
    std::vector<std::pair<FileKey, base::Fd>> files; ///< by their number in the changes
    std::vector<Change> changes;
    std::vector<UndoPlaces> before; ///< of each change
};

/// What a cut has taken of a file.
struct Taken {
    FileKey file;
    base::Fd fd;
    std::vector<model::ByteRange> bytes; ///< that are not what they were, ascending
    model::ByteOffset size_before;
    model::ByteOffset size_after;
};

struct Reverted {
    std::vector<Taken> files;
    std::uint64_t sectors_kept = 0;
    std::uint64_t sectors_lost = 0;
    int error = 0; ///< the first errno with which something could not be put back
};

/// Puts back what a cut, which tears as `tear` says, leaves of the changes of `log`. Times stay
/// what they are. Takes the descriptors of `log`. Nobody else may change the files or the store
/// meanwhile.
Reverted put_back(UndoLog& log, const UndoStore& store, const Tear& tear);

} // namespace partialfs::power
