// The words of a report's JSON that have no other home; for its printer and its parser.
#pragma once

#include "tools/mmapstress/report/report.hpp"

#include <string_view>

namespace mmapstress {

inline constexpr int kReportVersion = 1;

/// The tool's own, which made the report.
inline constexpr std::string_view kToolVersion = MMAPSTRESS_VERSION;

} // namespace mmapstress
