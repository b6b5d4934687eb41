// Reads the trace of a partialfs mount: JSON Lines, one event each.
#pragma once

#include "fusefs/model/types.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

/// One event. Members that its line does not have keep their default values.
struct TraceEvent {
    partialfs::model::Nanoseconds time; ///< monotonic
    std::uint64_t sequence = 0;
    std::string event; ///< page-dirty, ordered-flush, writepage...
    std::uint64_t inode = 0;
    std::string path; ///< relative to the mount
    std::optional<partialfs::model::PageIndex> page;
    std::string blocks;  ///< "1010": the page's first block first
    std::string written; ///< of a writepage
    std::string skipped; ///< of a writepage
    std::uint64_t commit = 0;
    partialfs::model::ByteRange bytes; ///< offset and length
    std::string operation;             ///< of a fault, as are the next four
    std::string action;
    std::uint64_t rule = 0;
    int error = 0;
    std::uint64_t amount = 0;   ///< bytes that a torn or short write let through
    std::uint64_t size_was = 0; ///< of cut-resized
    std::uint64_t size_is = 0;

    bool operator==(const TraceEvent&) const = default;
    /// Whether it concerns any byte of the page.
    [[nodiscard]] bool touches(partialfs::model::PageIndex wanted) const;
};

/// The events of a trace, in its order. A last line without a newline is ignored: the filesystem
/// may still be writing it. The error names the line, and what is wrong with it.
std::expected<std::vector<TraceEvent>, std::string> parse_trace(std::string_view text);

/// The trace of the mount whose root is `mount`: its trace file, if it writes one, and the latest
/// events, which it keeps in memory. The error says what could not be read.
std::expected<std::vector<TraceEvent>, std::string> trace_of_mount(const std::string& mount);

} // namespace mmapstress
