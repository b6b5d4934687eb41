// mmapstress run, replay, verify, workloads.
#include "tools/mmapstress/commands.hpp"
#include "tools/mmapstress/recheck.hpp"
#include "tools/mmapstress/report.hpp"
#include "tools/mmapstress/stop_signals.hpp"
#include "tools/mmapstress/workload_sources.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mmapstress {

namespace {

using Clock = std::chrono::steady_clock;

Verdict refuse(const std::string& message, Verdict verdict = Verdict::usage) {
    clear_progress_bar();
    complain(message);
    return verdict;
}

/// Prints the result and writes the report. A report or an output that cannot be written is worse
/// than a clean verdict, but not than damage.
Verdict deliver(const CommonOptions& options, const RunResult& result,
                const std::vector<std::string>& story) {
    clear_progress_bar();
    Verdict verdict = result.verdict();
    const auto worsen = [&](const std::string& message) {
        complain(message);
        verdict = verdict == Verdict::damaged ? verdict : Verdict::unknown;
    };
    if (!options.report.empty()) {
        const auto state = result.interrupted ? ReportState::interrupted : ReportState::finished;
        if (const auto written = write_file_atomically(options.report, report_json(result, state));
            !written) {
            worsen(written.error());
        }
    }
    if (!print(present(result, options.output, story))) {
        worsen("cannot write to standard output");
    }
    return verdict;
}

/// A place for the report that can be written is better known before an hour's run.
std::optional<std::string> report_refused(const std::string& path) {
    if (path.empty()) {
        return std::nullopt;
    }
    const std::string probe = path + ".probe";
    if (const auto written = write_file_atomically(probe, ""); !written) {
        return written.error();
    }
    std::remove(probe.c_str());
    return std::nullopt;
}

std::vector<std::string> story_of(const RunResult& result, const OpSourceFactory& factory) {
    if (result.header.workload != "linus" || result.damage.empty()) {
        return {};
    }
    const auto source = factory();
    return linus_story(*source, result);
}

Judge judge_of(const Header& header) {
    const WorkloadInfo* const workload = workload_named(header.workload);
    return workload == nullptr ? nullptr : workload->judge;
}

/// Runs recorded schedules one after another and says of each whether the damage is the recorded
/// one.
Verdict replay_recorded(const CommonOptions& options, const std::string& text) {
    const auto recorded = parse_golden_file(text);
    if (!recorded) {
        return refuse(recorded.error().message());
    }
    Verdict worst = Verdict::clean;
    std::size_t equal = 0;
    std::size_t damaged = 0;
    for (const GoldenSchedule& golden : *recorded) {
        if (stop_signalled()) {
            break;
        }
        const auto result = run(options.run, source_of(golden.schedule), nullptr);
        if (!result) {
            return refuse(result.error().message, result.error().verdict);
        }
        const bool same = wrong_bytes(result->damage, Stage::evicted) == golden.damage;
        equal += same ? 1U : 0U;
        const Verdict verdict = result->verdict();
        damaged += verdict == Verdict::damaged ? 1U : 0U;
        if (verdict == Verdict::unknown || worst == Verdict::clean) {
            worst = std::max(worst, verdict);
        }
        std::string why;
        for (const Problem& problem : result->problems) {
            why += "; " + problem.message;
        }
        print(fmt::format("{}: {}, {} damaged ranges, {} recorded on {}: {}{}\n", golden.id,
                          name_of(verdict), wrong_bytes(result->damage, Stage::evicted).size(),
                          golden.damage.size(), golden.kernel, same ? "equal" : "different", why));
    }
    print(fmt::format("{} schedules: {} damaged, {} as recorded\n", recorded->size(), damaged,
                      equal));
    return worst;
}

} // namespace

Verdict run_command(const RunOptions& options) {
    const WorkloadInfo* const workload = workload_named(options.workload);
    if (workload == nullptr) {
        return refuse("no such workload: '" + options.workload + "'; see mmapstress workloads");
    }
    if (const auto refused = report_refused(options.common.report)) {
        return refuse(*refused);
    }
    note_stop_signals();
    const auto begin = Clock::now();
    WorkloadSettings settings = options.settings;
    std::uint64_t round = 1;
    RunSettings run_settings = options.common.run;
    if (workload->name == "pressure") {
        run_settings.memory_limit = settings.memory;
    }
    run_settings.progress = progress_bar({settings.ops, options.duration}, round);
    const auto time_is_up = [&] {
        return options.duration && Clock::now() - begin >= *options.duration;
    };
    run_settings.stop = [&] { return stop_signalled() || time_is_up(); };
    for (;; ++round, ++settings.seed) {
        if (const auto source = workload->make(settings); !source) {
            return refuse(source.error());
        }
        const OpSourceFactory factory = [workload, settings] {
            auto source = workload->make(settings);
            return std::move(*source); // the same settings have just been accepted
        };
        auto result = run(run_settings, factory, workload->judge);
        if (!result) {
            return refuse(result.error().message, result.error().verdict);
        }
        result->rounds = round;
        const bool last = !options.duration || time_is_up() || stop_signalled() ||
                          result->verdict() != Verdict::clean;
        if (last) {
            return deliver(options.common, *result, story_of(*result, factory));
        }
    }
}

Verdict replay_command(const CommonOptions& options, const std::string& path) {
    const auto text = read_file(path);
    if (!text) {
        return refuse(text.error());
    }
    if (const auto refused = report_refused(options.report)) {
        return refuse(*refused);
    }
    note_stop_signals();
    CommonOptions settled = options;
    settled.run.stop = stop_signalled;
    std::expected<Schedule, std::string> schedule;
    if (text->starts_with('{')) {
        if (!text->starts_with("{\n")) {
            return replay_recorded(settled, *text);
        }
        const auto report = parse_report(*text);
        schedule = report ? schedule_of_report(*report) : std::unexpected(report.error());
    } else {
        auto parsed = parse_schedule(*text);
        if (parsed) {
            schedule = std::move(*parsed);
        } else {
            schedule = std::unexpected(parsed.error().message());
        }
    }
    if (!schedule) {
        return refuse(path + ": " + schedule.error());
    }
    const std::uint64_t round = 1;
    settled.run.progress = progress_bar({schedule->ops.size(), std::nullopt}, round);
    const OpSourceFactory factory = source_of(*schedule);
    const auto result = run(settled.run, factory, judge_of(schedule->header));
    if (!result) {
        return refuse(result.error().message, result.error().verdict);
    }
    return deliver(settled, *result, story_of(*result, factory));
}

Verdict verify_command(const CommonOptions& options, const std::string& path) {
    const auto text = read_file(path);
    if (!text) {
        return refuse(text.error());
    }
    const auto report = parse_report(*text);
    if (!report) {
        return refuse(path + ": " + report.error());
    }
    const std::uint64_t round = 1;
    CommonOptions settled = options;
    settled.run.progress = progress_bar({}, round);
    const auto result = recheck(settled.run, *report);
    if (!result) {
        return refuse(result.error().message, result.error().verdict);
    }
    return deliver(settled, *result, {});
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
