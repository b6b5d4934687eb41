// mmapstress explain.
#include "tools/mmapstress/explain/explain.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/commands/commands.hpp"
#include "tools/mmapstress/explain/html.hpp"
#include "tools/mmapstress/explain/words.hpp"
#include "tools/mmapstress/report/load_schedule.hpp"
#include "tools/mmapstress/report/report.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/progress.hpp"

#include <unistd.h>

#include <filesystem>

namespace mmapstress {

namespace {

/// The trace that the user named, or the mount's own. The error is for the user.
std::expected<std::optional<std::vector<TraceEvent>>, std::string>
find_trace(const ExplainOptions& options, const RunResult& result) {
    if (!options.trace.empty()) {
        const auto text = TRY(read_file(options.trace));
        auto events = parse_trace(text);
        if (!events) {
            return std::unexpected(options.trace + ", " + events.error());
        }
        return std::move(*events);
    }
    if (result.partialfs.empty()) {
        return std::nullopt; // no other filesystem has one
    }
    auto events = trace_of_mount(result.partialfs);
    if (!events) {
        complain("no trace: " + events.error() + "; --trace names one");
        return std::nullopt;
    }
    return std::move(*events);
}

} // namespace

Verdict explain_command(const ExplainOptions& options) {
    const auto text = read_file(options.report);
    if (!text) {
        complain(text.error());
        return Verdict::usage;
    }
    const auto report = parse_report(*text);
    if (!report) {
        complain(options.report + ": " + report.error());
        return Verdict::usage;
    }
    if (report->state == ReportState::running) {
        complain(options.report + ": the run did not come to its end; mmapstress verify DIR " +
                 options.report + " --report NEW checks it, and NEW can be explained");
        return Verdict::usage;
    }
    Evidence evidence;
    if (auto schedule = schedule_of_report(*report)) {
        evidence.schedule = std::move(*schedule);
    } else {
        complain("without the pages' histories: " + schedule.error());
    }
    auto trace = find_trace(options, report->result);
    if (!trace) {
        complain(trace.error());
        return Verdict::usage;
    }
    evidence.trace = std::move(*trace);
    const std::string command =
        replay_line(report->result, std::filesystem::absolute(options.report).string());
    if (!options.html.empty()) {
        const auto written =
            write_file_atomically(options.html, explain_html(*report, evidence, command));
        if (!written) {
            complain(written.error());
            return Verdict::usage;
        }
        return report->result.verdict();
    }
    ExplainStyle style;
    style.all = options.all;
    style.max_ranges = options.max_ranges.value_or(options.all ? report->result.damage.size() : 20);
    style.colours = partialfs::base::colours_for(partialfs::tools::is_terminal(STDOUT_FILENO));
    std::string story = explain(*report, evidence, style);
    if (evidence.schedule) {
        story += "\nTo run it again:\n  " + style.colours.as_strong(command) + "\n";
    }
    if (!print(story)) {
        complain("cannot write to standard output");
        return Verdict::unknown;
    }
    return report->result.verdict();
}

} // namespace mmapstress
