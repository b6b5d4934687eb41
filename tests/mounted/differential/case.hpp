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

/// The directories that a case needs, all there: the mount, what is underneath, and a plain
/// directory on the same filesystem as that.
struct Places {
    std::filesystem::path mount;
    std::filesystem::path source;
    std::filesystem::path plain;
};

/// What a case found.
struct Found {
    std::size_t operation = 0; ///< the one that showed it; the count of all: the end of the case
    std::string message;
};

/// Runs a case in the directory `name` of each side: empties it, carries out the operations,
/// closes all, has the mount commit and compares the plain directory with what is underneath.
/// What differed first, if anything did. `done` counts the operations begun, for an onlooker.
[[nodiscard]] std::optional<Found> run_case(const Places& places, const std::string& name,
                                            std::span<const Operation> operations,
                                            const Checks& checks, std::atomic<std::size_t>& done);

/// Throws Difference unless the two trees have the same names, types, modes, links, sizes, bytes,
/// extended attributes, and modification times where they were set, unless Check::times is left
/// out. Says which name differs.
void compare_trees(const std::filesystem::path& source, const std::filesystem::path& plain,
                   const Checks& checks);

} // namespace partialfs::differential
