// Totals as a part of a report's JSON.
#pragma once

#include "tools/mmapstress/result/totals.hpp"

#include <nlohmann/json_fwd.hpp>

namespace mmapstress {

/// As report.hpp says of "totals".
nlohmann::ordered_json totals_json(const Totals& totals);
/// Operations by their names; of those that there are none of, nothing.
nlohmann::ordered_json kinds_json(const std::array<std::uint64_t, kOpKinds>& counts);

} // namespace mmapstress
