// Runs workloads for as long as it is asked for: one round after another.
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
    WorkloadSettings settings{};                ///< of each round, but for the seed
    /// Which seeds: of a run that is no shard those from settings.seed on.
    std::optional<Shard> shard{};
    /// Rounds until the time is up, or one is not clean for another reason than known faults of the
    /// kernel; else one round of each workload. Of several workloads no turn is longer than turn()
    /// then.
    std::optional<std::chrono::milliseconds> duration{};
    /// Called before each round with its number, from 1.
    std::function<void(std::uint64_t)> begin{};
    /// Called after a round that was damaged by a known fault which no round before it had met.
    std::function<void(const RunResult&)> met{};
    /// So many rounds instead, or until one is not clean; in each the power of the mount is cut.
    std::optional<std::uint64_t> power_cuts{};

    /// So short that each workload has had a turn, its verification included, within a minute.
    [[nodiscard]] std::chrono::milliseconds turn() const;
};

/// Runs the rounds, each on files of its own, and gives the one to report (Findings::reported).
/// Files are kept of the first round that a known fault damaged, and of none that met nothing new.
/// settings.stop ends them, as does the time, in the middle of a round if need be. Settings that
/// make no sense are a StartError of usage.
std::expected<RoundsResult, StartError> run_rounds(const RunSettings& settings, Rounds rounds);

} // namespace mmapstress
