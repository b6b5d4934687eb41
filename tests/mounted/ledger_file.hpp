// What the mount's ledger says is lost now.
#pragma once

#include "tests/mounted/mixed_workload.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace partialfs::test {

/// The open entries of `text` (JSON Lines), in order; adjacent entries are joined.
std::vector<Damage> open_losses(const std::string& text);
/// The whole of a file, also one whose size stat(2) does not give, as .partialfs/ledger.
std::string read_file(const std::filesystem::path& path);

} // namespace partialfs::test
