// The workloads: programs that make up schedules.
#pragma once

#include "tools/schedule/op_source.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

/// What the user asked for. A workload takes its own defaults where nothing was asked.
struct WorkloadSettings {
    std::uint64_t seed = 1;
    std::optional<ByteCount> size; ///< of each file
    std::optional<std::uint32_t> files;
    std::optional<std::uint64_t> ops; ///< how many operations, about
    std::uint16_t threads = 1;
    std::uint16_t processes = 1;
    CommitBy commit_by = CommitBy::sibling;
    ByteCount memory{64U << 20U}; ///< what `pressure` is to exceed

    bool operator==(const WorkloadSettings&) const = default;
};

/// Reads the bytes of one of the run's files from disk, after eviction: fills `out` from `offset`
/// on. False if they cannot be read.
using FileReader = std::function<bool(FileIndex, ByteOffset, std::span<std::byte>)>;

/// What the program itself would say of its files on disk: one sentence for each thing that it
/// finds broken, none if all is well. `source` gives the run's operations from the first one on, a
/// replayed schedule's too; `last` is the last one that was carried out: nothing after it may be
/// missed.
using Judge = std::vector<std::string> (*)(OpSource& source, OpId last, const FileReader& read);

struct WorkloadInfo {
    std::string_view name;
    std::string_view line; ///< what it does, for `mmapstress workloads`
    /// A source for these settings, or what is wrong with the settings, in words. The source must
    /// not refer to the settings afterwards.
    std::expected<std::unique_ptr<OpSource>, std::string> (*make)(const WorkloadSettings&);
    /// What a program of this kind would itself say of its files, nullptr if nothing.
    Judge judge;
};

/// All workloads, the default one first.
std::span<const WorkloadInfo> workloads();
/// The workload called `name`, or nullptr.
const WorkloadInfo* workload_named(std::string_view name);

} // namespace mmapstress
