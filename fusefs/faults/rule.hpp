// A rule of faults: which operations it strikes, and what it does to them. Its text is a line:
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
// OPERATION is a name of kOperations, or `any` for all that a layer has and that can do what the
// rule says. `disk:` and `request:` before it name the layer; without them `any`, `fsync` and
// `fallocate` are the disk's. The words behind it may come in any order. Values with blanks are put
// in double quotes.
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
    std::string path = "*"; ///< ... for the whole path in the mount, without a slash before it
    std::optional<model::ByteRange> range; ///< a byte of it must be concerned
    std::optional<uid_t> uid;
    std::optional<pid_t> pid;
    std::uint64_t after = 0;          ///< so many operations that match pass before it strikes
    std::uint64_t count = UINT64_MAX; ///< it strikes so often
    double probability = 1.0;         ///< with which it strikes one that matches
    std::uint64_t seed = 1;           ///< of probability and flip
    bool operator==(const FaultRule&) const = default;

    /// Whether an operation is one that the rule is for: of its layer, the one it names, or with
    /// `any` one that can do what it says and has what it asks for.
    [[nodiscard]] bool is_for(Operation candidate) const;
};

/// What a line asks for: one rule more, or none any more.
struct Change {
    std::optional<FaultRule> rule; ///< nothing: `clear`
    bool operator==(const Change&) const = default;
};

/// A line that cannot be understood.
struct BadLine {
    std::size_t number = 0; ///< counted from 1
    std::string reason;
    /// "line 2: 'scribble' is no operation"
    [[nodiscard]] std::string message() const;
};

/// What the lines of `text` ask for, in their order: rules, or the word `clear` by itself. Empty
/// lines and comments ask for nothing.
std::expected<std::vector<Change>, BadLine> parse_changes(std::string_view text);

/// A line that parse_changes() understands as `rule`, without a newline.
std::string to_text(const FaultRule& rule);

/// "EIO"; the number for one that has no symbol.
std::string errno_symbol(int number);

} // namespace partialfs::faults
