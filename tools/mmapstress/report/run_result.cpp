#include "tools/mmapstress/report/run_result.hpp"

namespace mmapstress {

std::string_view name_of(Verdict verdict) {
    constexpr std::array<std::string_view, 4> names{"clean", "damaged", "usage", "could not tell"};
    return names[static_cast<std::size_t>(verdict)];
}

Verdict RunResult::verdict() const {
    if (!damage.empty() || damage_not_kept != 0) {
        return Verdict::damaged;
    }
    const StageResult& cold = stages[static_cast<std::size_t>(Stage::evicted)];
    const bool checked = cold.state == StageResult::State::checked && cold.bytes != 0;
    return problems.empty() && judgement.empty() && checked ? Verdict::clean : Verdict::unknown;
}

} // namespace mmapstress
