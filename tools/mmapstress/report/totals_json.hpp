// Totals as a part of a report's JSON.
#pragma once

#include "tools/mmapstress/result/totals.hpp"

#include <nlohmann/json_fwd.hpp>

namespace mmapstress {

/// "totals", as described in report.hpp.
nlohmann::ordered_json totals_json(const Totals& totals);
/// Counts by operations' names; kinds with a count of 0 are left out.
nlohmann::ordered_json kinds_json(const std::array<std::uint64_t, kOpKinds>& counts);

} // namespace mmapstress
