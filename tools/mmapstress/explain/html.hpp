// The explanation as one self-contained HTML page: a map of each file, the story of each damaged
// range.
//
// Pure: no I/O.
#pragma once

#include "tools/mmapstress/explain/explain.hpp"

#include <string>

namespace mmapstress {

/// The page (explain/page.html) with its data. `command` carries the run out again.
std::string explain_html(const Report& report, const Evidence& evidence,
                         const std::string& command);

} // namespace mmapstress
