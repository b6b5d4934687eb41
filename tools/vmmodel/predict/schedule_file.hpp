// Schedules as files: mmapstress's text format, or recorded schedules as JSON, one a line; either
// may be compressed with zstd.
#pragma once

#include "tools/schedule/golden.hpp"

#include <expected>
#include <filesystem>
#include <string>
#include <vector>

namespace vmmodel {

/// A schedule; a recorded one with the damage that a kernel did.
struct LoadedSchedule {
    std::string name; ///< the file's name, or the recorded schedule's id
    bool recorded = false;
    mmapstress::Schedule schedule;
    std::vector<mmapstress::DamagedBytes> damage; ///< only if recorded
};

/// Reads all of `path` ("-" is the standard input) and every schedule in it. The error is a line
/// for people: the file, the line in it, the reason.
std::expected<std::vector<LoadedSchedule>, std::string>
load_schedules(const std::filesystem::path& path);

/// The whole file, decompressed if it is compressed with zstd.
std::expected<std::string, std::string> read_text(const std::filesystem::path& path);

} // namespace vmmodel
