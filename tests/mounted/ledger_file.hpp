// What the mount's ledger says is lost now.
#pragma once

#include "tests/mounted/mixed_workload.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace partialfs::test {

/// The open entries of `text` (JSON Lines), in order, those that touch joined to one.
std::vector<Damage> open_losses(const std::string& text);
/// The whole of a file, such as .partialfs/ledger, whose size stat(2) does not tell.
std::string read_file(const std::filesystem::path& path);

} // namespace partialfs::test
