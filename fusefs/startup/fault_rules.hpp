// The rules of faults that are in force from the start of a mount.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

namespace partialfs::startup {

/// The text of the file of --faults, after a check that every line can be understood. An error is
/// one line that names the file, the line and what is wrong.
std::expected<std::string, std::string> read_fault_rules(const std::filesystem::path& file);

} // namespace partialfs::startup
