// The result of a run: its verdict, what each stage of the verification found, what is damaged.
//
// Plain values.
#pragma once

#include "tools/mmapstress/result/damage.hpp"
#include "tools/mmapstress/result/left_out.hpp"
#include "tools/mmapstress/result/shard.hpp"
#include "tools/mmapstress/result/totals.hpp"
#include "tools/mmapstress/result/workload_settings.hpp"
#include "tools/schedule/schedule.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

/// The tool's exit codes.
enum class Verdict : std::uint8_t {
    clean = 0,   ///< every byte was checked and is as expected
    damaged = 1, ///< damage was found
    usage = 2,   ///< nothing was done: wrong options or input
    unknown = 3, ///< could not tell: something failed, or nothing could really be checked
    hung = 4,    ///< a call of the filesystem did not return (--hang-after)
};
inline constexpr std::array kVerdicts{
    EnumName{Verdict::clean, "clean"}, EnumName{Verdict::damaged, "damaged"},
    EnumName{Verdict::usage, "usage"}, EnumName{Verdict::unknown, "could not tell"},
    EnumName{Verdict::hung, "hung"}};
constexpr const auto& enum_names(Verdict) {
    return kVerdicts;
}
/// The verdict of two parts of the same work: the later one in the order clean, usage, unknown,
/// hung, damaged. Damage in one part stays damage, even if the other part could not be checked.
Verdict worse_of(Verdict one, Verdict other);

/// Something that kept the run from being carried out or checked.
struct Problem {
    std::string message; ///< names the file or the call, and the errno in words
    OpId op;             ///< during this operation; 0: none

    bool operator==(const Problem&) const = default;
};

struct StageResult {
    enum class State : std::uint8_t {
        skipped, ///< not asked for, or not possible here: `reason`
        checked, ///< all of it
        failed,  ///< `reason`
    };
    State state = State::skipped;
    std::string reason;
    std::uint64_t bytes = 0;  ///< compared
    std::uint64_t stored = 0; ///< of all bytes of the files, those that operations put there
    std::uint64_t holes = 0;  ///< of `bytes`, those not read: the filesystem says they are holes
    std::uint64_t wrong = 0;  ///< of `bytes`, those not as expected
    std::uint64_t ranges = 0; ///< damaged ranges
    double seconds = 0;

    bool operator==(const StageResult&) const = default;
};
inline constexpr std::array kStageStates{EnumName{StageResult::State::skipped, "skipped"},
                                         EnumName{StageResult::State::checked, "checked"},
                                         EnumName{StageResult::State::failed, "failed"}};
constexpr const auto& enum_names(StageResult::State) {
    return kStageStates;
}

/// What is known about a run that a crash cut short.
struct CutShort {
    OpId done;  ///< all up to it had been carried out
    OpId begun; ///< none above it had been begun
    /// Bytes of the files that had been synced, and so must be there. Any other byte may be as
    /// before, or as any operation up to `begun` wrote it.
    std::uint64_t synced_bytes = 0;

    bool operator==(const CutShort&) const = default;
};

/// The operations of kind commit.
struct Commits {
    std::uint64_t done = 0; ///< carried out
    /// Those during which the device under the files wrote no sector; nothing if that was not
    /// judged, as the filesystem has no device whose sectors are counted.
    std::optional<std::uint64_t> empty;

    bool operator==(const Commits&) const = default;
};

struct RunResult {
    Header header;
    std::string directory;          ///< the run's own directory
    bool kept = false;              ///< whether it is still there
    std::vector<std::string> files; ///< their paths, in order
    std::vector<ByteCount> sizes;   ///< their expected sizes at the end
    std::string disk;               ///< the directory behind `directory`; empty: none
    std::string partialfs;          ///< the root of the partialfs mount; empty: not on partialfs
    std::string filesystem;         ///< type, as /proc/self/mountinfo names it
    std::string kernel;             ///< uname's release
    std::string memory;             ///< the limit and how it was applied; empty: no limit
    bool interrupted = false;       ///< stopped before the schedule's end
    bool hung = false;              ///< a call did not return; `problems` say which
    /// The bytes that the stages after eviction read came from a block device. If not, all that is
    /// known is that they did not come from this filesystem's page cache.
    bool on_disk = false;
    /// The schedule's end was reached and all files were synced, so that every byte must be there.
    bool synced = false;
    std::vector<LeftOut> left_out;
    bool journals_data = false; ///< ext4 with data=journal
    std::uint64_t rounds = 1;   ///< run so far, with one seed after another; this is the last
    Totals totals;              ///< of all rounds, this one included
    std::uint64_t ops = 0;      ///< carried out
    std::array<std::uint64_t, kOpKinds> ops_by_kind{};
    Commits commits;
    OpId last_op;       ///< the last operation carried out
    double seconds = 0; ///< the time for carrying out the operations
    std::array<StageResult, kStages> stages;
    std::vector<DamagedRange> damage;  ///< ordered by file and offset
    std::uint64_t damage_not_kept = 0; ///< ranges found beyond what is kept
    /// Found, but no damage, as mmap(2) leaves it open; empty with RunSettings::past_eof_is_damage.
    std::vector<PastEof> past_eof;
    std::vector<Problem> problems;
    std::vector<std::string> judgement; ///< what the workload's own checker says is broken
    /// The text lines of the operations that `damage` and `past_eof` name.
    std::map<OpId, std::string> named_ops;
    /// When they began, by CLOCK_MONOTONIC; only of the first RunSettings::record_ops operations.
    std::map<OpId, partialfs::model::Nanoseconds> named_times;
    std::string schedule; ///< as text; empty if it was too long to keep
    /// What the workload made its schedule from, to make it again; nothing if it was replayed.
    std::optional<WorkloadSettings> settings;
    std::optional<Shard> shard; ///< its part of a campaign; nothing: not part of one
    /// Only of a verification after a crash.
    std::optional<CutShort> cut_short;
    std::string schedule_file; ///< where it was written; empty: nowhere

    [[nodiscard]] Verdict verdict() const;
    /// If no operation that was carried out stored or wrote anything, adds a problem that says so:
    /// unchanged files prove nothing. Not if damage or another problem is known.
    void require_stores();
};

} // namespace mmapstress
