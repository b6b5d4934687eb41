// What the user asked a workload for.
#pragma once

#include "tools/schedule/op.hpp"
#include "tools/schedule/schedule.hpp"

#include <cstdint>
#include <optional>

namespace mmapstress {

/// A workload takes its own defaults where nothing was asked.
struct WorkloadSettings {
    std::uint64_t seed = 1;
    std::optional<ByteCount> size; ///< of each file
    std::optional<std::uint32_t> files;
    std::optional<std::uint64_t> ops;     ///< how many operations, about
    std::optional<std::uint16_t> threads; ///< in each process
    std::optional<std::uint16_t> processes;
    CommitBy commit_by = CommitBy::sibling;
    ByteCount memory{64U << 20U}; ///< what `pressure` is to exceed

    bool operator==(const WorkloadSettings&) const = default;
};

} // namespace mmapstress
