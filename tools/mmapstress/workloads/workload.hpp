// The workloads: programs that make up schedules.
#pragma once

#include "tools/mmapstress/result/damage.hpp"
#include "tools/mmapstress/result/workload_settings.hpp"
#include "tools/schedule/op_source.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

/// Reads the bytes of one of the run's files from disk, after eviction: fills `out` from `offset`
/// on. False if they cannot be read.
using FileReader = std::function<bool(FileIndex, ByteOffset, std::span<std::byte>)>;

/// What the program itself would say of its files on disk: one sentence for each thing that it
/// finds broken, none if all is well. `source` gives the run's operations from the first one on, a
/// replayed schedule's too; `last` is the last one that was carried out: nothing after it may be
/// missed.
using Judge = std::vector<std::string> (*)(OpSource& source, OpId last, const FileReader& read);

/// More sentences about the damage, as the program of the time would have put it.
using Story = std::vector<std::string> (*)(OpSource& source, OpId last,
                                           const std::vector<DamagedRange>& damage);

struct WorkloadInfo {
    std::string_view name;
    std::string_view line; ///< what it does, for `mmapstress workloads`
    /// A source for these settings, or what is wrong with the settings, in words. The source must
    /// not refer to the settings afterwards.
    std::expected<std::unique_ptr<OpSource>, std::string> (*make)(const WorkloadSettings&);
    /// What a program of this kind would itself say of its files, nullptr if nothing.
    Judge judge;
    /// What it would say of damage, nullptr if no more than others.
    Story story = nullptr;
    /// Whether its data is to exceed the memory that there is (WorkloadSettings::memory).
    bool exceeds_memory = false;
    /// Whether it has operations that a kernel or a filesystem may lack.
    bool may_have_any = false;

    /// The kinds that it may have and others may lack.
    [[nodiscard]] OpSet may_have() const { return may_have_any ? ~OpSet{} : OpSet{}; }
};

/// All workloads, the default one first.
std::span<const WorkloadInfo> workloads();
/// The workload called `name`, or nullptr.
const WorkloadInfo* workload_named(std::string_view name);

} // namespace mmapstress
