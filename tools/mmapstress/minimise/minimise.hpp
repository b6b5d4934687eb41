// Makes a schedule that loses data as small as possible, by trying which parts still lose data.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/result/run_settings.hpp"

#include <cstdint>
#include <expected>
#include <functional>

namespace mmapstress {

struct MinimiseSettings {
    /// How each candidate is run: in fresh files in a fresh directory, which is removed again.
    /// The stages of the verification that showed no damage in the first run are left out.
    RunSettings run;
    /// How often a candidate is run, at most, before it counts as losing nothing. Should be more
    /// than one if the whole schedule loses data only now and then.
    unsigned tries = 1;
    /// Called after each candidate, from the thread that called minimise().
    std::function<void(std::uint64_t candidates, std::size_t operations)> progress;
};

struct Minimised {
    Schedule schedule;               ///< the smallest found; ids as in the schedule it came from
    std::uint64_t candidates = 0;    ///< how many were run
    std::uint64_t confirmations = 0; ///< how often it was run again: kConfirmations at most
    std::uint64_t confirmed = 0;     ///< how often it lost data then
    /// settings.run.stop ended the search early; then one confirmation is enough.
    bool interrupted = false;
    RunResult result; ///< of the last run of `schedule` that lost data

    static constexpr std::uint64_t kConfirmations = 5;
};

/// First leaves out operations: at once all that do not concern one damaged page, then others by
/// delta debugging. Simplifies the rest: one worker, no unused files, files no larger than needed,
/// ranges cut from both ends, shorter pauses.
/// A candidate must show damage of a kind, and in a stage, that the whole schedule showed.
/// If the result loses data in fewer than half of its confirmations, the search begins again at the
/// smallest part that lost data in each of several runs, and now accepts a candidate only if it
/// loses data three times in a row. The error: the schedule loses no data here in three runs (in
/// `tries`, if these are more; verdict unknown), or cannot be run.
std::expected<Minimised, StartError> minimise(const MinimiseSettings& settings,
                                              const Schedule& schedule);

} // namespace mmapstress
