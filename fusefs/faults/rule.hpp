// A rule of faults: the operations to which it applies, and its effect on them. Its text is a line:
//
//     OPERATION ACTION... [FILTER...] [# comment]
//
//     pwrite ENOSPC                        every pwrite of the daemon's fails with ENOSPC
//     fdatasync EIO path=db/* count=1      one fdatasync of a file below db fails
//     pwrite torn=512 nth=3                of the third pwrite 512 bytes reach the disk, then EIO
//     write EDQUOT uid=1000                write(2) by a user fails
//     request:fsync skip                   fsync(2) succeeds and does nothing
//     any EIO after=3                      operations on the disk: the first three pass
//
// OPERATION is a name of kOperations, or `any` for all operations of a layer for which the rule's
// action and filters are possible. `disk:` and `request:` before it name the layer; without them
// `any`, `fsync` and `fallocate` are the disk's. The words after it may come in any order. Values
// with blanks are put in double quotes.
//
// Pure values; any thread.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/faults/operation.hpp"
#include "fusefs/model/types.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace partialfs::faults {

struct FaultRule {
    Layer layer = Layer::disk;
    std::optional<Operation> operation; ///< nothing: any of the layer

    Action action = Action::delay;
    std::chrono::milliseconds delay{0};
    base::Errno error{};      ///< Action::error, torn
    std::uint64_t amount = 0; ///< short, torn, enospc-after: bytes; flip: bits

    std::string name = "*"; ///< fnmatch(3) pattern for the last part of the file's path
    std::string path = "*"; ///< the same for the whole path in the mount, without a leading slash
    std::optional<model::ByteRange> range; ///< the operation must concern a byte of it
    std::optional<uid_t> uid;
    std::optional<pid_t> pid;
    std::uint64_t after = 0;          ///< how many matching operations pass before it fires
    std::uint64_t count = UINT64_MAX; ///< how often it fires
    double probability = 1.0;         ///< of firing for a matching operation
    std::uint64_t seed = 1;           ///< of probability and flip
    bool operator==(const FaultRule&) const = default;

    /// Whether the rule applies to an operation: the one that it names, or with `any` one of its
    /// layer for which its action and filters are possible.
    [[nodiscard]] bool is_for(Operation candidate) const;
};

/// The change by one line: adds a rule, or removes all.
struct Change {
    std::optional<FaultRule> rule; ///< no value: `clear`
    bool operator==(const Change&) const = default;
};

/// A line that cannot be understood.
struct BadLine {
    std::size_t number = 0; ///< counted from 1
    std::string reason;
    /// "line 2: 'scribble' is no operation"
    [[nodiscard]] std::string message() const;
};

/// The changes by the lines of `text`, in order: rules, or the word `clear` by itself. Empty lines
/// and comments are skipped.
std::expected<std::vector<Change>, BadLine> parse_changes(std::string_view text);

/// The line for `rule` as parse_changes() reads it, without a newline.
std::string to_text(const FaultRule& rule);

/// "EIO"; the number for an errno without a symbol.
std::string errno_symbol(int number);

} // namespace partialfs::faults
