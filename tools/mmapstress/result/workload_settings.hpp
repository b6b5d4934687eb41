// The settings of a workload.
#pragma once

#include "tools/schedule/op.hpp"
#include "tools/schedule/schedule.hpp"

#include <cstdint>
#include <optional>

namespace mmapstress {

/// Where a setting is not given, the workload takes its own default.
struct WorkloadSettings {
    std::uint64_t seed = 1;
    std::optional<ByteCount> size; ///< of each file
    std::optional<std::uint32_t> files;
    std::optional<std::uint64_t> ops;     ///< the approximate number of operations
    std::optional<std::uint16_t> threads; ///< in each process
    std::optional<std::uint16_t> processes;
    CommitBy commit_by = CommitBy::sibling;
    ByteCount memory{64U << 20U}; ///< what `pressure` is to exceed

    bool operator==(const WorkloadSettings&) const = default;
};

} // namespace mmapstress
