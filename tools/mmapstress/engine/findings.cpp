#include "tools/mmapstress/engine/findings.hpp"

#include "tools/mmapstress/result/known_faults.hpp"

#include <algorithm>
#include <utility>

namespace mmapstress {

bool Findings::is_new(const RunResult& round) const {
    return std::ranges::any_of(
        known_faults(round), [&](const KnownFault& fault) { return !totals_.has_met(fault.name); });
}

void Findings::add(RoundsResult& round) {
    ++rounds_;
    totals_.add(round.result);
    add_left_out(left_out_, round.result.left_out);
    round.result.rounds = rounds_;
    round.result.totals = totals_;
    if (!damaged_ && is_known_damage(round.result)) {
        damaged_ = round;
    }
}

RoundsResult Findings::reported(RoundsResult last) && {
    const bool last_is_damaged = last.result.verdict() == Verdict::damaged;
    const bool damaged_anew = last_is_damaged && !is_known_damage(last.result);
    if (damaged_ && !damaged_anew && last.result.verdict() != Verdict::hung) {
        std::ranges::copy(last_is_damaged ? std::vector<Problem>{} : last.result.problems,
                          std::back_inserter(damaged_->result.problems));
        last = std::move(*damaged_);
    }
    last.result.rounds = rounds_;
    last.result.totals = totals_;
    last.result.left_out = left_out_;
    return last;
}

} // namespace mmapstress
