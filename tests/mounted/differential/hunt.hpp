// Several processes, each with cases of its own, until one has a finding or the time is over.
#pragma once

#include "tests/mounted/differential/case.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace partialfs::differential {

struct HuntSettings {
    std::uint64_t seed = 1; ///< of the first case; each further case has the next number
    std::chrono::seconds time{20};
    unsigned processes = 3;
    std::size_t operations = 400; ///< of each case
    std::set<Kind> left_out;
    Checks checks;
};

/// What a hunt found, and how to reproduce it.
struct Finding {
    std::uint64_t seed = 0;
    std::vector<Operation> operations; ///< up to and including the one that showed it
    std::string message;
};

struct HuntResult {
    std::optional<Finding> finding;
    std::size_t cases = 0; ///< cases carried out to their end
};

/// Hunts on a mount with neighbours. A process that makes no progress for a minute is a finding,
/// too. Throws std::system_error if it cannot start its processes.
[[nodiscard]] HuntResult hunt(const Places& places, const HuntSettings& settings);

/// Hunts with one case, repeatedly, for at most `settings.time`.
[[nodiscard]] HuntResult run_again(const Places& places, const HuntSettings& settings,
                                   const std::vector<Operation>& operations);

/// Shortens a list of operations that still shows a difference within `settings.time`, by dropping
/// ever smaller parts of it.
[[nodiscard]] std::vector<Operation> shorten(const Places& places, const HuntSettings& settings,
                                             std::vector<Operation> operations);

} // namespace partialfs::differential
