// Constants of a report's JSON that both its printer and its parser need.
#pragma once

#include "tools/mmapstress/report/report.hpp"

#include <string_view>

namespace mmapstress {

inline constexpr int kReportVersion = 1;

/// The version of the tool that made the report.
inline constexpr std::string_view kToolVersion = MMAPSTRESS_VERSION;

} // namespace mmapstress
