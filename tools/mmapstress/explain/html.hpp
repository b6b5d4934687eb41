// The explanation as one HTML page that needs nothing else: each file as a map, the story of each
// damaged range.
//
// Pure: no I/O.
#pragma once

#include "tools/mmapstress/explain/explain.hpp"

#include <string>

namespace mmapstress {

/// The page (explain/page.html) with what it shows. `command` is what carries the run out again.
std::string explain_html(const Report& report, const Evidence& evidence,
                         const std::string& command);

} // namespace mmapstress
