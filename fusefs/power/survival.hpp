// Decides which changes of SOURCE survive a power cut if no sync has made them durable.
//
// The emulated disk has a cache. A change of data is in it sector by sector, and each sector
// reaches the medium or not, independent of the others. A sector is written as a whole: if a later
// write of it survives, the bytes of earlier writes in it do so, too. A change of a file's size
// goes through the filesystem's journal, which has the file's earlier data written first (as ext3
// and ext4 with data=ordered do): if it survives, so do all earlier changes of the file; if not, no
// later write beyond the lower of its two sizes can be seen.
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

/// The index of a file among those that are changed.
using FileNumber = model::Strong<struct FileNumberTag, std::uint32_t>;

/// One change of a file. A list of these is in the order in which SOURCE was changed.
struct Change {
    FileNumber file;
    /// The bytes that it changed; for a size change those that were cut off, if any.
    model::ByteRange bytes;
    bool resizes = false;
    model::ByteOffset size_before{}; ///< only for a size change
    model::ByteOffset size_after{};  ///< only for a size change

    bool operator==(const Change&) const = default;
};

/// `bytes` of the file are to be restored to what they were before change number `change`.
struct Reversal {
    std::size_t change;
    model::ByteRange bytes;

    bool operator==(const Reversal&) const = default;
};

struct Aftermath {
    /// To be carried out in this order: the latest change comes first.
    std::vector<Reversal> reversals;
    /// The new size of each file whose size must change. To be set after the reversals.
    std::map<FileNumber, model::ByteOffset> sizes;
    std::uint64_t sectors_kept = 0; ///< of data; a sector counts once for each change of it
    std::uint64_t sectors_lost = 0;
};

/// The effect of a cut on `changes`.
Aftermath aftermath_of(std::span<const Change> changes, const Tear& tear);

} // namespace partialfs::power
