// Ranges that a filesystem itself reports as lost, in a form comparable with mmapstress' findings.
#pragma once

#include "tests/json_lines.hpp"
#include "tools/mmapstress/engine/engine.hpp"
#include "tools/schedule/golden.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace mmapstress {

using partialfs::testing::json_lines;

/// The ranges in order; adjacent ones are joined.
std::vector<DamagedBytes> joined(std::vector<DamagedBytes> ranges);

/// The ranges ("path", "offset", "length") of those objects that are about files of this run. Paths
/// are relative to the mount, with or without a leading slash.
std::vector<DamagedBytes> ranges_told(const std::vector<nlohmann::json>& objects,
                                      const RunResult& result,
                                      const std::filesystem::path& mountpoint);

/// The whole contents of a file, also of one whose size stat(2) gives as 0.
std::string text_of(const std::filesystem::path& path);

} // namespace mmapstress
