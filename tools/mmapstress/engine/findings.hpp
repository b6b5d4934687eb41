// What the rounds of a run have done and found so far.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"
#include "tools/schedule/op_source.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace mmapstress {

/// One round of a run, or the round that is reported for all.
struct RoundsResult {
    RunResult result;        ///< `rounds`, `totals` and `left_out` are of all rounds
    OpSourceFactory factory; ///< gives its operations
};

/// Sums rounds up, and remembers the first round that a known fault of the kernel damaged: rounds
/// go on after it, so that known faults do not hide unknown ones. Not thread-safe.
class Findings {
  public:
    /// Whether the round met a known fault that no round before it had met.
    [[nodiscard]] bool is_new(const RunResult& round) const;
    /// Adds a round that is over, and sets its sums to those of all rounds so far.
    void add(RoundsResult& round);
    /// Whether a known fault has damaged a round.
    [[nodiscard]] bool has_damage() const { return damaged_.has_value(); }
    /// The round to report. The last one, if it hung or has damage that is no known fault, or if no
    /// known fault damaged any round. Else the first round that a known fault damaged; if the last
    /// one has problems and no damage, with these.
    [[nodiscard]] RoundsResult reported(RoundsResult last) &&;

  private:
    std::uint64_t rounds_ = 0;
    Totals totals_;
    std::vector<LeftOut> left_out_;
    std::optional<RoundsResult> damaged_;
};

} // namespace mmapstress
