// The blocks of one page over time, drawn as text from the trace of the filesystem: which were
// dirty, what a commit wrote, what was stored afterwards, what writepage passed over.
//
// Pure: no I/O.
#pragma once

#include "tools/mmapstress/explain/loss_chain.hpp"
#include "tools/mmapstress/explain/trace_file.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mmapstress {

/// The state of one block of the page after a step.
enum class BlockMark : std::uint8_t {
    clean,   ///< the filesystem need not write it
    dirty,   ///< the filesystem knows that it must be written
    written, ///< written to disk in this step
    unseen,  ///< stored into while the filesystem believes that it is clean
    skipped, ///< passed over by writepage although stored into: lost
};

/// One line of the picture.
struct PictureRow {
    partialfs::model::Nanoseconds time;
    std::string what;
    std::vector<BlockMark> blocks;

    bool operator==(const PictureRow&) const = default;
};

/// A store through a mapping, and when it was made.
struct TimedStore {
    partialfs::model::Nanoseconds time;
    OpId op;
    ByteRange range;
};

/// The rows of the story of `page`. `events` are those of its file, `stores` the known ones into
/// the page, both in order. Empty if the trace does not show how large a block is.
std::vector<PictureRow> block_picture(PageIndex page, const std::vector<TraceEvent>& events,
                                      const std::vector<TimedStore>& stores);

/// A letter for each block: . clean, d dirty, W written, ! unseen, X skipped.
std::string letters_of(const std::vector<BlockMark>& blocks);

/// The rows as lines of text, with times counted from `begin`, and a legend. If there are more than
/// `most` rows, the last ones.
std::string draw(const std::vector<PictureRow>& rows, partialfs::model::Nanoseconds begin,
                 std::size_t most);

} // namespace mmapstress
