// A case: a list of operations carried out in a fresh directory of each side.
#pragma once

#include "tests/mounted/differential/answer.hpp"
#include "tests/mounted/differential/operation.hpp"

#include <atomic>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace partialfs::differential {

/// The directories that a case needs, which must exist: the mount, its source directory, and a
/// plain directory on the same filesystem as the source.
struct Places {
    std::filesystem::path mount;
    std::filesystem::path source;
    std::filesystem::path plain;
};

/// What a case found.
struct Found {
    /// Index of the operation that showed it; the number of operations if it was found at the end.
    std::size_t operation = 0;
    std::string message;
};

/// Runs a case in the directory `name` of each side: empties it, carries out the operations, closes
/// everything, makes the mount commit and compares the plain directory with the source. Returns the
/// first difference, if any. `done` counts the operations begun, for a watching process.
[[nodiscard]] std::optional<Found> run_case(const Places& places, const std::string& name,
                                            std::span<const Operation> operations,
                                            const Checks& checks, std::atomic<std::size_t>& done);

/// Throws Difference, with the name that differs, unless the two trees have the same names, types,
/// modes, links, sizes, bytes, extended attributes, and modification times where these were set
/// (not if Check::times is left out).
void compare_trees(const std::filesystem::path& source, const std::filesystem::path& plain,
                   const Checks& checks);

} // namespace partialfs::differential
