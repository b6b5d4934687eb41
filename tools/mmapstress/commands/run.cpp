// mmapstress run, replay, verify, workloads.
#include "tools/mmapstress/commands/commands.hpp"
#include "tools/mmapstress/commands/supervise.hpp"
#include "tools/mmapstress/engine/engine.hpp"
#include "tools/mmapstress/engine/rounds.hpp"
#include "tools/mmapstress/report/load_report.hpp"
#include "tools/mmapstress/report/load_schedule.hpp"
#include "tools/mmapstress/report/report.hpp"
#include "tools/mmapstress/result/known_faults.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/mmapstress/system/mount_info.hpp"
#include "tools/mmapstress/verify/recheck.hpp"
#include "tools/mmapstress/workloads/workload.hpp"
#include "tools/progress.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <filesystem>
#include <functional>
#include <optional>

namespace mmapstress {

namespace {

Verdict refuse(const std::string& message, Verdict verdict = Verdict::usage) {
    partialfs::tools::clear_progress_bar();
    complain(message);
    return verdict;
}

/// Prints the result and writes the report. If one of them cannot be written, a clean verdict
/// becomes unknown; damage stays damage.
Verdict deliver(const CommonOptions& options, const RunResult& result,
                const std::vector<std::string>& story) {
    partialfs::tools::clear_progress_bar();
    Verdict verdict = result.verdict();
    const auto worsen = [&](const std::string& message) {
        complain(message);
        verdict = worse_of(verdict, Verdict::unknown);
    };
    if (!options.report.empty()) {
        if (const auto written = write_report(options.report, result); !written) {
            worsen(written.error());
        }
    }
    if (!print(present(result, options.output, story))) {
        worsen("cannot write to standard output");
    }
    return verdict;
}

std::vector<std::string> story_of(const RunResult& result, const OpSourceFactory& factory) {
    const WorkloadInfo* const workload = workload_named(result.header.workload);
    if (workload == nullptr || workload->story == nullptr || result.damage.empty()) {
        return {};
    }
    const auto source = factory();
    return workload->story(*source, result.last_op, result.damage);
}

/// The report at `path`, whatever state it is in; nothing if there is none.
std::optional<Report> report_at(const std::string& path) {
    const auto text = read_file(path);
    auto report = text ? parse_report(*text) : std::unexpected(text.error());
    return report ? std::optional(std::move(*report)) : std::nullopt;
}

Judge judge_of(const Header& header) {
    const WorkloadInfo* const workload = workload_named(header.workload);
    return workload == nullptr ? nullptr : workload->judge;
}

/// Runs recorded schedules one after another, and says for each whether the damage is the recorded
/// one. Output about a single run, such as a report, needs a file with one schedule.
Verdict replay_recorded(const CommonOptions& options, const std::string& text) {
    const auto recorded = parse_golden_file(text);
    if (!recorded) {
        return refuse(recorded.error().message());
    }
    const bool reports = !options.report.empty() || options.output.format != Format::human;
    if (recorded->size() != 1 && (reports || !options.run.schedule_file.empty())) {
        return refuse(
            fmt::format("{} recorded schedules: --report, --schedule and --format are for "
                        "a file with one",
                        recorded->size()));
    }
    RunSettings settings = options.run;
    Verdict verdict = Verdict::clean;
    std::size_t run_through = 0;
    std::size_t equal = 0;
    std::size_t damaged = 0;
    const auto tell = [&](const std::string& line) {
        if (!print(line)) {
            verdict = worse_of(verdict, Verdict::unknown);
        }
    };
    for (const GoldenSchedule& golden : *recorded) {
        if (stop_signalled()) {
            break;
        }
        settings.stored_before = run_through != 0;
        settings.may_have = kinds_in(golden.schedule);
        const auto result = run(settings, source_of(golden.schedule), nullptr);
        if (!result) {
            const Verdict refused = refuse(result.error().message, result.error().verdict);
            if (run_through == 0) {
                return refused;
            }
            verdict = worse_of(verdict, Verdict::unknown);
            break;
        }
        if (reports) {
            return deliver(options, *result, {});
        }
        verdict = worse_of(verdict, result->verdict());
        damaged += result->verdict() == Verdict::damaged ? 1U : 0U;
        const auto wrong = wrong_bytes(result->damage, Stage::evicted);
        const bool same = wrong == golden.damage;
        std::string why;
        for (const Problem& problem : result->problems) {
            why += "; " + problem.message;
        }
        tell(fmt::format("{}: {}, {} damaged ranges, {} recorded on {}: {}{}\n", golden.id,
                         name_of(result->verdict()), wrong.size(), golden.damage.size(),
                         golden.kernel,
                         result->interrupted ? "ended before the schedule did"
                         : same              ? "equal"
                                             : "different",
                         why));
        if (result->interrupted) {
            break;
        }
        ++run_through;
        equal += same ? 1U : 0U;
    }
    if (run_through == 0) {
        verdict = worse_of(verdict, Verdict::unknown);
        complain("ended before any schedule had been run to its end");
    }
    if (!reports) {
        tell(fmt::format("{} of {} schedules run: {} damaged, {} as recorded\n", run_through,
                         recorded->size(), damaged, equal));
    }
    return verdict;
}

/// Stands for every workload in turn.
constexpr std::string_view kAllWorkloads = "all";

/// The workloads that `name` stands for; empty if there is none.
std::vector<const WorkloadInfo*> workloads_named(const std::string& name) {
    std::vector<const WorkloadInfo*> named;
    for (const WorkloadInfo& workload : workloads()) {
        if (name == kAllWorkloads || name == workload.name) {
            named.push_back(&workload);
        }
    }
    return named;
}

Verdict run_workload(const RunOptions& options) {
    const auto named = workloads_named(options.workload);
    if (named.empty()) {
        return refuse("no such workload: '" + options.workload + "'; see mmapstress workloads");
    }
    if (const auto reason = unwritable(options.common.report)) {
        return refuse(*reason);
    }
    std::uint64_t round = 1;
    RunSettings settings = options.common.run;
    settings.report_file = options.common.report;
    settings.progress = progress_bar({options.settings.ops, options.duration, named.size()}, round);
    settings.stop = stop_signalled;
    std::optional<Shard> shard = options.shard;
    if (shard) {
        shard->seed = options.settings.seed;
    }
    std::vector<std::string> unwritten;
    const auto keep_report = [&](const RunResult& result) {
        for (const KnownFault& fault : known_faults(result)) {
            const std::string path = options.common.report + '.' + std::string(fault.name);
            if (const auto written = write_report(path, result); !written) {
                unwritten.push_back(written.error());
            }
        }
    };
    const auto done = run_rounds(settings, {.workloads = named,
                                            .settings = options.settings,
                                            .shard = shard,
                                            .duration = options.duration,
                                            .begin = [&](std::uint64_t number) { round = number; },
                                            .met = options.common.report.empty()
                                                       ? std::function<void(const RunResult&)>()
                                                       : keep_report,
                                            .power_cuts = options.power_cuts});
    if (!done) {
        return refuse(done.error().message, done.error().verdict);
    }
    Verdict verdict = deliver(options.common, done->result, story_of(done->result, done->factory));
    for (const std::string& error : unwritten) {
        complain(error);
        verdict = worse_of(verdict, Verdict::unknown);
    }
    return verdict;
}

Verdict replay(const CommonOptions& options, const std::string& path) {
    const auto text = read_file(path);
    if (!text) {
        return refuse(text.error());
    }
    if (const auto reason = unwritable(options.report)) {
        return refuse(*reason);
    }
    CommonOptions settled = options;
    settled.run.stop = stop_signalled;
    if (what_it_holds(*text) == Holds::recorded) {
        return replay_recorded(settled, *text);
    }
    const auto schedule = schedule_of_text(*text);
    if (!schedule) {
        return refuse(path + ": " + schedule.error());
    }
    const std::uint64_t round = 1;
    settled.run.report_file = options.report;
    settled.run.may_have = kinds_in(*schedule);
    settled.run.progress = progress_bar({schedule->ops.size(), std::nullopt, 1}, round);
    const OpSourceFactory factory = source_of(*schedule);
    const auto result = run(settled.run, factory, judge_of(schedule->header));
    if (!result) {
        return refuse(result.error().message, result.error().verdict);
    }
    return deliver(settled, *result, story_of(*result, factory));
}

Verdict verify(const CommonOptions& options, const std::string& path) {
    const auto loaded = load_report(path);
    if (!loaded) {
        return refuse(loaded.error());
    }
    if (const auto reason = unwritable(options.report)) {
        return refuse(*reason);
    }
    const std::uint64_t round = 1;
    CommonOptions settled = options;
    settled.run.progress = progress_bar({}, round);
    const WorkloadInfo* const workload = workload_named(loaded->report.result.header.workload);
    const auto result =
        recheck(settled.run, *loaded, workload == nullptr ? nullptr : workload->judge);
    if (!result) {
        return refuse(result.error().message, result.error().verdict);
    }
    return deliver(settled, *result, {});
}

/// The result of a run whose calls have hung, as far as it is known from outside.
RunResult hung_run(const CommonOptions& options, RunResult result,
                   const std::vector<Problem>& hung) {
    if (const auto head = options.report.empty() ? std::nullopt : report_at(options.report)) {
        result = head->result;
    }
    std::error_code error;
    const auto directory = std::filesystem::absolute(options.run.directory, error);
    if (const auto mount = mount_of(directory.lexically_normal().string())) {
        result.filesystem = mount->type;
        result.journals_data = journals_data(*mount);
    }
    utsname system{};
    if (::uname(&system) == 0) {
        result.kernel = system.release;
    }
    result.hung = true;
    result.problems = hung;
    for (StageResult& stage : result.stages) {
        stage.reason = "the filesystem hangs";
    }
    return result;
}

/// Does `work` in a process of its own. If it hangs, the result is `known` with the hang added.
Verdict supervised(const CommonOptions& options, const RunResult& known,
                   const std::function<Verdict()>& work) {
    const auto tell = [&](const std::vector<Problem>& hung) {
        deliver(options, hung_run(options, known, hung), {});
    };
    return supervise({options.hang_after, tell}, work);
}

} // namespace

Verdict run_command(const RunOptions& options) {
    RunResult known;
    known.header.workload = options.workload;
    known.header.seed = options.settings.seed;
    return supervised(options.common, known, [&] { return run_workload(options); });
}

Verdict replay_command(const CommonOptions& options, const std::string& path) {
    return supervised(options, {}, [&] { return replay(options, path); });
}

Verdict verify_command(const CommonOptions& options, const std::string& path) {
    return supervised(options, {}, [&] { return verify(options, path); });
}

Verdict workloads_command() {
    for (const WorkloadInfo& workload : workloads()) {
        const bool is_default = &workload == workloads().data();
        print(fmt::format("{:<9} {}{}\n", workload.name, workload.line,
                          is_default ? " (default)" : ""));
    }
    return Verdict::clean;
}

} // namespace mmapstress
