#include "tools/mmapstress/result/run_result.hpp"

namespace mmapstress {

Verdict worse_of(Verdict one, Verdict other) {
    const auto rank = [](Verdict verdict) {
        switch (verdict) {
        case Verdict::clean:
            return 0;
        case Verdict::usage:
            return 1;
        case Verdict::unknown:
            return 2;
        case Verdict::hung:
            return 3;
        case Verdict::damaged:
            break;
        }
        return 4;
    };
    return rank(one) < rank(other) ? other : one;
}

Verdict RunResult::verdict() const {
    if (!damage.empty() || damage_not_kept != 0) {
        return Verdict::damaged;
    }
    if (hung) {
        return Verdict::hung;
    }
    const StageResult& cold = stages[static_cast<std::size_t>(Stage::evicted)];
    // One round of many may have had nothing to check.
    const bool any = cold.bytes != 0 || totals.bytes_after_eviction() != 0;
    const bool checked = cold.state == StageResult::State::checked && any;
    return problems.empty() && judgement.empty() && checked ? Verdict::clean : Verdict::unknown;
}

void RunResult::require_stores() {
    if (!problems.empty() || verdict() == Verdict::damaged) {
        return;
    }
    for (std::size_t kind = 0; kind < kOpKinds; ++kind) {
        if (ops_by_kind[kind] != 0 && traits_of(static_cast<OpKind>(kind)).has_content) {
            return;
        }
    }
    problems.push_back(
        {"no store or write was carried out, so there was nothing to be checked", OpId{}});
}

} // namespace mmapstress
