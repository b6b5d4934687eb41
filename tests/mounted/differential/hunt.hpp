// Several processes, each with cases of its own, until one finds something or the time is over.
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
    std::uint64_t seed = 1; ///< of the first case; each further case has the next
    std::chrono::seconds time{20};
    unsigned processes = 3;
    std::size_t operations = 400; ///< of each case
    std::set<Kind> left_out;
    Checks checks;
};

/// What a hunt found, and how to see it again.
struct Finding {
    std::uint64_t seed = 0;
    std::vector<Operation> operations; ///< up to the one that showed it
    std::string message;
};

struct HuntResult {
    std::optional<Finding> finding;
    std::size_t cases = 0; ///< carried out to their end
};

/// Hunts on a mount with neighbours. A process that gets no further for a minute is something
/// found, too. Throws std::system_error if it cannot start its processes.
[[nodiscard]] HuntResult hunt(const Places& places, const HuntSettings& settings);

/// Hunts with one case, over and over, for at most `settings.time`.
[[nodiscard]] HuntResult run_again(const Places& places, const HuntSettings& settings,
                                   const std::vector<Operation>& operations);

/// A list of operations as short as can be found that still shows a difference within
/// `settings.time`: drops ever smaller parts of it.
[[nodiscard]] std::vector<Operation> shorten(const Places& places, const HuntSettings& settings,
                                             std::vector<Operation> operations);

} // namespace partialfs::differential
