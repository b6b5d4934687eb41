// Tells, for each damaged range of a report, which store was lost, what stands there instead, what
// the page had been through, and how the filesystem came to lose it.
//
// Pure: no I/O.
#pragma once

#include "tools/mmapstress/explain/loss_chain.hpp"
#include "tools/mmapstress/report/report.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace mmapstress {

/// What is known besides the report.
struct Evidence {
    std::optional<Schedule> schedule;             ///< else the pages' histories are left out
    std::optional<std::vector<TraceEvent>> trace; ///< else the chains are left out
};

/// The explanation as text for a person, of at most `max_ranges` ranges; says how many more there
/// are.
std::string explain(const Report& report, const Evidence& evidence, std::size_t max_ranges);

} // namespace mmapstress
