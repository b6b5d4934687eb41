// Runs workloads, one round after another, for a time or a number of rounds.
#pragma once

#include "tools/mmapstress/engine/findings.hpp"
#include "tools/mmapstress/result/run_settings.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <vector>

namespace mmapstress {

struct Rounds {
    std::vector<const WorkloadInfo*> workloads; ///< in turn; at least one
    WorkloadSettings settings{};                ///< of each round, except the seed
    /// Which seeds the rounds have; without it, settings.seed and those that follow.
    std::optional<Shard> shard{};
    /// With it, rounds run until the time is up, or until one is not clean for another reason than
    /// known faults of the kernel; of several workloads, each round lasts turn() at most. Without
    /// it: one round of each workload.
    std::optional<std::chrono::milliseconds> duration{};
    /// Called before each round with its number, from 1.
    std::function<void(std::uint64_t)> begin{};
    /// Called after a round that met a known fault which no round before it had met.
    std::function<void(const RunResult&)> met{};
    /// With it: this many rounds, or until one is not clean. The power of the mount is cut in each.
    std::optional<std::uint64_t> power_cuts{};

    /// Short enough that within a minute each workload has a turn, with its verification.
    [[nodiscard]] std::chrono::milliseconds turn() const;
};

/// Runs the rounds, each on its own files, and returns the one to report (Findings::reported). With
/// `duration`, the files of a round that met only known faults are kept only if one of these faults
/// is new. settings.stop and the time end the rounds, also in the middle of one. Settings that make
/// no sense are a StartError of usage.
std::expected<RoundsResult, StartError> run_rounds(const RunSettings& settings, Rounds rounds);

} // namespace mmapstress
