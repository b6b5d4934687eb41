// What of the changes that SOURCE has got, and that no sync has made durable, a power cut leaves.
//
// The emulated disk has a cache. A change of data is in it sector by sector, and each sector is on
// the platter or not, whatever became of the others. A sector is written whole: once a later write
// of it survives, what earlier ones had put there is on disk with it. A change of a file's size
// goes through the filesystem's journal, which has the disk write the file's earlier data first (as
// ext3 and ext4 with data=ordered do): if it survives, so does all that was done to the file before
// it; if not, nothing that was written beyond it can be seen.
//
// Pure; any thread.
#pragma once

#include "fusefs/model/types.hpp"
#include "fusefs/power/command.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace partialfs::power {

/// Names a file among those that are changed.
using FileNumber = model::Strong<struct FileNumberTag, std::uint32_t>;

/// One change of a file, in the order in which SOURCE got them.
struct Change {
    FileNumber file;
    /// The bytes that it changed. Of a size change: those that were cut off, if any.
    model::ByteRange bytes;
    bool resizes = false;
    model::ByteOffset size_before{}; ///< of a size change, and
    model::ByteOffset size_after{};  ///< after it

    bool operator==(const Change&) const = default;
};

/// The bytes `bytes` of the file are to be what they were before the change number `change`.
struct Reversal {
    std::size_t change;
    model::ByteRange bytes;

    bool operator==(const Reversal&) const = default;
};

struct Aftermath {
    /// To be done in this order: the latest change comes first.
    std::vector<Reversal> reversals;
    /// The size of each file whose size must change. To be set after the reversals.
    std::map<FileNumber, model::ByteOffset> sizes;
    std::uint64_t sectors_kept = 0; ///< of data, as the changes are counted
    std::uint64_t sectors_lost = 0;
};

/// What a cut leaves of `changes`.
Aftermath aftermath_of(std::span<const Change> changes, const Tear& tear);

} // namespace partialfs::power
