// What the rounds of a run have done and found so far.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"
#include "tools/schedule/op_source.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace mmapstress {

/// One round of a run, or the one that stands for all.
struct RoundsResult {
    RunResult result;        ///< `rounds`, `totals` and `left_out` are of all rounds
    OpSourceFactory factory; ///< gives its operations
};

/// Sums rounds up, and remembers the first one that a known fault of the kernel has damaged: rounds
/// go on after it, so that what is known does not hide what is not. Not thread-safe.
class Findings {
  public:
    /// Whether the round met a known fault that no round before it had met.
    [[nodiscard]] bool is_new(const RunResult& round) const;
    /// Takes in a round that is over; from then on its sums are those of all rounds.
    void add(RoundsResult& round);
    /// Whether a known fault has damaged a round.
    [[nodiscard]] bool has_damage() const { return damaged_.has_value(); }
    /// The round to report, of all that were taken in: the last one if it was not clean, or else
    /// the first one that was damaged.
    [[nodiscard]] RoundsResult reported(RoundsResult last) &&;

  private:
    std::uint64_t rounds_ = 0;
    Totals totals_;
    std::vector<LeftOut> left_out_;
    std::optional<RoundsResult> damaged_;
};

} // namespace mmapstress
