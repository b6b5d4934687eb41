// What the found bytes are: an earlier version of the place, zeros, another place's, or unknown.
//
// Pure; any thread.
#pragma once

#include "tools/mmapstress/result/damage.hpp"
#include "tools/mmapstress/verify/collector.hpp"
#include "tools/schedule/pattern.hpp"
#include "tools/schedule/schedule.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace mmapstress {

/// The bytes that `op` may change, whatever the size of its file.
ByteRange changed_range(const Op& op);

/// The operations that changed any byte of a finding, in order.
using History = std::vector<OpId>;

/// What is found at some place, and for how many bytes.
struct Match {
    std::size_t length = 0;
    DamageKind kind = DamageKind::foreign;
    OpId origin;
    FileIndex file;
    ByteOffset offset;
    bool ends_with_its_op = false;
};

/// Finds the origin of the bytes of findings.
class Matcher {
  public:
    /// `ops`: all operations that a history names; `last`: none above it may have left bytes. All
    /// must outlive the matcher.
    Matcher(const Header& header, const std::map<OpId, Op>& ops, OpId last)
        : header_(header), ops_(ops), last_(last) {}

    /// What is found from byte `at` of the finding on: at least one byte; foreign if nothing is
    /// known about it.
    [[nodiscard]] Match at(const Finding& finding, const History& history, std::size_t at) const;

  private:
    [[nodiscard]] Match version(const Finding& finding, OpId id, ByteRange range,
                                ByteOffset op_offset, const Content& content, std::size_t at) const;
    [[nodiscard]] std::optional<Match> remains_at(const Finding& finding, const History& history,
                                                  std::size_t at) const;
    [[nodiscard]] std::optional<Match> misplaced_at(const Finding& finding, std::size_t at) const;
    [[nodiscard]] Match follow(const Finding& finding, std::size_t at, FileIndex file,
                               const Origin& origin, std::size_t back) const;

    const Header& header_;
    const std::map<OpId, Op>& ops_;
    OpId last_;
};

/// Whether bytes that are no version of their place are too few to exclude that an operation stored
/// them for another place: only a whole cell, at any alignment, shows that.
bool is_unclear(std::span<const std::byte> bytes);

} // namespace mmapstress
