// Which operations of a schedule concern a page, in order.
//
// Pure: no I/O.
#pragma once

#include "tools/schedule/schedule.hpp"

#include <cstdint>
#include <vector>

namespace mmapstress {

/// How an operation concerns a page.
enum class Touch : std::uint8_t {
    content, ///< puts bytes into it, or removes them: store, write, truncate, punch...
    flush,   ///< may make the kernel write it back: fsync, msync, munmap, evict...
    commit,  ///< may make the filesystem flush it by itself: a commit, another file's fsync
    other,   ///< maps it, or reads it
};

/// One operation, or several of the same touch in a row that are not worth listing one by one.
struct HistoryEntry {
    Op op; ///< the first; an append has its offset
    Touch touch = Touch::content;
    std::uint64_t count = 1; ///< how many operations the entry stands for
    OpId last;               ///< the last of them

    bool operator==(const HistoryEntry&) const = default;
};

/// The history of `page` of `file`, up to and including operation `until`. Commits in a row, with
/// the operations of other files among them, are one entry; so are flushes in a row.
std::vector<HistoryEntry> page_history(const Schedule& schedule, FileIndex file, PageIndex page,
                                       OpId until);

} // namespace mmapstress
