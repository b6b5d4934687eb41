// The workloads: they make schedules.
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

/// What the imitated program itself would report about its files on disk: one sentence for each
/// thing that it finds broken. `source` gives the run's operations, or those of a replayed
/// schedule, from the first one on. `last` is the last one that was carried out: bytes of later
/// ones are not expected.
using Judge = std::vector<std::string> (*)(OpSource& source, OpId last, const FileReader& read);

/// More sentences about the damage, in the words of the imitated program.
using Story = std::vector<std::string> (*)(OpSource& source, OpId last,
                                           const std::vector<DamagedRange>& damage);

struct WorkloadInfo {
    std::string_view name;
    std::string_view line; ///< what it does, for `mmapstress workloads`
    /// A source for these settings, or a message that says what is wrong with them. The source must
    /// not refer to the settings afterwards.
    std::expected<std::unique_ptr<OpSource>, std::string> (*make)(const WorkloadSettings&);
    /// The imitated program's own check of its files, or nullptr.
    Judge judge;
    /// The imitated program's words about damage, or nullptr.
    Story story = nullptr;
    /// Whether its data must exceed the memory (WorkloadSettings::memory).
    bool exceeds_memory = false;
    /// Whether it has operations that a kernel or a filesystem may lack.
    bool may_have_any = false;

    /// The kinds of operations that it may have, for RunSettings::may_have.
    [[nodiscard]] OpSet may_have() const { return may_have_any ? ~OpSet{} : OpSet{}; }
};

/// All workloads, the default one first.
std::span<const WorkloadInfo> workloads();
/// The workload called `name`, or nullptr.
const WorkloadInfo* workload_named(std::string_view name);

} // namespace mmapstress
