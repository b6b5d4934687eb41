// Makes a schedule that loses data as small as it can be and still lose some, by trying.
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
    /// How often a candidate is run, at most, before it counts as one that loses nothing: more than
    /// once where the whole schedule loses data only now and then.
    unsigned tries = 1;
    /// Called after each candidate, from the thread that called minimise().
    std::function<void(std::uint64_t candidates, std::size_t operations)> progress;
};

struct Minimised {
    Schedule schedule;               ///< the smallest found; ids as in the schedule it came from
    std::uint64_t candidates = 0;    ///< how many were run
    std::uint64_t confirmations = 0; ///< how often it was tried once more, kConfirmations at most
    std::uint64_t confirmed = 0;     ///< and how often it lost data then
    /// settings.run.stop ended the search early; once it has lost data again is enough then.
    bool interrupted = false;
    RunResult result; ///< of the last run of it that lost data

    static constexpr std::uint64_t kConfirmations = 5;
};

/// First the operations: those that have nothing to do with one damaged page, all at once; then by
/// delta debugging. Then what is left is made plain: one worker, no unused files, files no larger
/// than needed, ranges cut from both ends, shorter pauses.
/// A candidate must show damage of a kind, and in a stage, that the whole schedule showed.
/// If the result then loses data only now and then, the search begins again at the smallest part
/// that lost data in each of several runs, and a candidate is taken only if it loses data in each
/// of three. The error: the schedule loses no data here in three runs (verdict unknown), or cannot
/// be run.
std::expected<Minimised, StartError> minimise(const MinimiseSettings& settings,
                                              const Schedule& schedule);

} // namespace mmapstress
