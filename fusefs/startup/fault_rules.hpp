// The rules of faults that a mount begins with.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

namespace partialfs::startup {

/// The lines of the file of --faults, every one of which can be understood. An error is one line
/// that names the file, the line and what is wrong.
std::expected<std::string, std::string> read_fault_rules(const std::filesystem::path& file);

} // namespace partialfs::startup
