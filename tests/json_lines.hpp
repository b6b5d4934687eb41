// JSON Lines, as .partialfs/ledger and the trace have them, for tests.
#pragma once

#include <nlohmann/json.hpp>

#include <sstream>
#include <string>
#include <vector>

namespace partialfs::testing {

/// The objects of a text that has one a line. Throws nlohmann::json::parse_error.
inline std::vector<nlohmann::json> json_lines(const std::string& text) {
    std::vector<nlohmann::json> objects;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        objects.push_back(nlohmann::json::parse(line));
    }
    return objects;
}

} // namespace partialfs::testing
