#include "tools/mmapstress/engine/rounds.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/engine/engine.hpp"
#include "tools/mmapstress/result/known_faults.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/schedule/schedule.hpp"

#include <filesystem>
#include <utility>

namespace mmapstress {

namespace {

using Clock = std::chrono::steady_clock;

/// Removes the files of a round that shows nothing new, unless the settings keep them.
void remove_files(RunResult& result, const RunSettings& settings) {
    if (settings.keep || settings.overwrite_device || !result.kept) {
        return;
    }
    std::error_code error;
    std::filesystem::remove_all(result.directory, error);
    result.kept = static_cast<bool>(error);
}

/// The round to report. If it is not the last round, its schedule is written over the last one's.
RoundsResult reported(Findings findings, RoundsResult last, const RunSettings& settings) {
    const std::uint64_t last_seed = last.result.header.seed;
    RoundsResult told = std::move(findings).reported(std::move(last));
    if (!settings.schedule_file.empty() && told.result.header.seed != last_seed) {
        const auto written = write_file_atomically(settings.schedule_file,
                                                   print_schedule(schedule_of(*told.factory())));
        if (!written) {
            told.result.problems.push_back({written.error(), OpId{}});
        }
    }
    return told;
}

/// Whether there was nothing to check: all files were truncated to nothing, or the power was cut
/// before anything was synced.
bool had_nothing(const RunResult& result) {
    const StageResult& cold = result.stages[static_cast<std::size_t>(Stage::evicted)];
    const bool nothing = result.cut_short ? result.cut_short->synced_bytes == 0 : cold.bytes == 0;
    return nothing && result.problems.empty() && result.damage.empty() &&
           cold.state == StageResult::State::checked;
}

/// All rounds together must have stored something. A single round may have stored nothing, if the
/// power was cut or its turn ended early.
void require_stores(RunResult& result) {
    auto of_last = result.ops_by_kind;
    std::swap(result.ops_by_kind, result.totals.ops_by_kind);
    result.require_stores();
    result.totals.ops_by_kind = std::exchange(result.ops_by_kind, of_last);
}

} // namespace

std::chrono::milliseconds Rounds::turn() const {
    constexpr std::chrono::milliseconds kMinute = std::chrono::minutes(1);
    // The verification takes as long as the operations.
    return kMinute / (2 * workloads.size());
}

std::expected<RoundsResult, StartError> run_rounds(const RunSettings& settings, Rounds rounds) {
    const auto begin = Clock::now();
    auto round_begin = begin;
    const bool takes_turns = rounds.duration && rounds.workloads.size() > 1;
    const auto time_is_up = [&] {
        return rounds.duration && Clock::now() - begin >= *rounds.duration;
    };
    const auto is_stopped = [&] { return (settings.stop && settings.stop()) || time_is_up(); };
    RunSettings each = settings;
    each.cuts_power = rounds.power_cuts.has_value();
    if (each.cuts_power) {
        if (rounds.settings.commit_by != CommitBy::sibling) {
            return std::unexpected(
                StartError{Verdict::usage, "--power-cut needs --commit-by sibling: a FUSE daemon "
                                           "gets no request for sync(2) or syncfs(2)"});
        }
    }
    each.stop = [&] {
        return is_stopped() || (takes_turns && Clock::now() - round_begin >= rounds.turn());
    };
    if (settings.overwrite_device && !rounds.settings.files) {
        rounds.settings.files = 1;
    }
    for (const WorkloadInfo* workload : rounds.workloads) {
        if (const auto source = workload->make(rounds.settings); !source) {
            return std::unexpected(StartError{Verdict::usage, source.error()});
        }
    }
    const Shard shard = rounds.shard.value_or(Shard{.seed = rounds.settings.seed});
    rounds.settings.seed = shard.first_seed();
    Findings findings;
    for (std::uint64_t round = 1;; ++round, rounds.settings.seed += shard.of) {
        const WorkloadInfo& workload = *rounds.workloads[(round - 1) % rounds.workloads.size()];
        each.may_have = workload.may_have();
        each.memory_limit = workload.exceeds_memory ? rounds.settings.memory : ByteCount{0};
        each.made_of = rounds.settings;
        each.stored_before = round > 1 || rounds.duration;
        OpSourceFactory factory = [make = workload.make, wanted = rounds.settings] {
            auto source = make(wanted);
            return std::move(*source); // these settings, with another seed, were accepted above
        };
        round_begin = Clock::now();
        if (rounds.begin) {
            rounds.begin(round);
        }
        auto ran = run(each, factory, workload.judge);
        if (!ran) {
            if (!findings.has_damage()) {
                return std::unexpected(std::move(ran.error()));
            }
            RoundsResult none;
            none.result.problems.push_back({ran.error().message, OpId{}});
            return reported(std::move(findings), std::move(none), settings);
        }
        RoundsResult done{std::move(*ran), std::move(factory)};
        RunResult& result = done.result;
        result.shard = rounds.shard;
        const bool is_new = findings.is_new(result);
        findings.add(done);
        const bool all_had_a_turn = rounds.power_cuts
                                        ? round >= *rounds.power_cuts
                                        : !rounds.duration && round == rounds.workloads.size();
        const bool is_known = rounds.duration && is_known_damage(result);
        const bool goes_on = result.verdict() == Verdict::clean || is_known ||
                             ((rounds.power_cuts || rounds.duration) && had_nothing(result));
        if (is_known) {
            if (!is_new) {
                remove_files(result, settings);
            } else if (rounds.met) {
                rounds.met(result);
            }
        }
        if (all_had_a_turn || is_stopped() || !goes_on) {
            if (rounds.power_cuts || rounds.duration) {
                require_stores(result);
            }
            return reported(std::move(findings), std::move(done), settings);
        }
    }
}

} // namespace mmapstress
