#include "tools/mmapstress/commands/present.hpp"

#include "tools/mmapstress/report/formats.hpp"
#include "tools/mmapstress/report/report.hpp"
#include "tools/mmapstress/result/known_faults.hpp"
#include "tools/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace mmapstress {

namespace {

using partialfs::base::Colours;

std::string size_text(std::uint64_t bytes) {
    constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    while (unit + 1 < kUnits.size() && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        ++unit;
    }
    return fmt::format("{} {}", bytes, kUnits[unit]);
}

std::string plural(std::uint64_t count, const char* thing) {
    return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

std::string op_text(const RunResult& result, OpId id) {
    if (id.value == 0) {
        return "the file's start";
    }
    const auto line = result.named_ops.find(id);
    return line == result.named_ops.end() ? fmt::format("operation {}", id.value)
                                          : fmt::format("'{}'", line->second);
}

std::string kind_text(const RunResult& result, const DamagedRange& range) {
    switch (range.kind) {
    case DamageKind::stale:
        return "stale, from " + op_text(result, range.origin);
    case DamageKind::misplaced:
        return fmt::format("misplaced, from {} (file {} at {})", op_text(result, range.origin),
                           range.origin_file.value, range.origin_offset.value);
    case DamageKind::zeros:
        return "zeros";
    case DamageKind::foreign:
        return "foreign";
    case DamageKind::unclear:
        return "unclear: too few bytes to find out where they come from";
    case DamageKind::missing:
        return "missing: the file is too short, or gone";
    case DamageKind::unreadable:
        return "unreadable, although the file's sync had returned";
    case DamageKind::past_eof:
        return "what had been stored past the end of the file, before it grew: " +
               op_text(result, range.origin);
    }
    return {};
}

std::string range_text(const RunResult& result, const DamagedRange& range) {
    std::string stages;
    for (std::size_t i = 0; i < kStages; ++i) {
        if (range.in(static_cast<Stage>(i))) {
            stages += (stages.empty() ? "" : ",") + std::string(name_of(static_cast<Stage>(i)));
        }
    }
    return fmt::format("  file {} at {}+{} (page {} at {}, aligned to {}): {}\n"
                       "      lost {}; seen in {}\n",
                       range.file.value, range.range.begin.value, range.range.size().value,
                       range.range.first_page().value, range.range.begin.value % kPageSize,
                       alignment_of(range.range), kind_text(result, range),
                       op_text(result, range.lost), stages);
}

std::string stage_text(Stage stage, const StageResult& result) {
    const std::string name(name_of(stage));
    switch (result.state) {
    case StageResult::State::skipped:
        return fmt::format("  {:<8} skipped: {}\n", name, result.reason);
    case StageResult::State::failed:
        return fmt::format("  {:<8} COULD NOT BE DONE: {}\n", name, result.reason);
    case StageResult::State::checked:
        break;
    }
    std::string of_them;
    if (stage != Stage::during) {
        of_them =
            fmt::format(" ({} of them stored by operations{})", size_text(result.stored),
                        result.holes == 0 ? std::string()
                                          : fmt::format("; {} of holes not read, by SEEK_DATA",
                                                        size_text(result.holes)));
    }
    if (result.wrong == 0) {
        return fmt::format("  {:<8} {} as expected{}\n", name, size_text(result.bytes), of_them);
    }
    return fmt::format("  {:<8} {} compared{}, {} WRONG in {}\n", name, size_text(result.bytes),
                       of_them, plural(result.wrong, "byte"), plural(result.ranges, "range"));
}

/// Empty for a run without commits.
std::string commits_text(const Commits& commits) {
    if (commits.done == 0) {
        return {};
    }
    return fmt::format("  commits  {}, {}\n", commits.done,
                       commits.empty ? fmt::format("{} of them wrote nothing", *commits.empty)
                                     : "not judged: no device counts this filesystem's sectors");
}

/// Empty for a single round.
std::string totals_text(const Totals& totals) {
    if (totals.rounds < 2) {
        return {};
    }
    std::string each;
    for (const Totals::OfWorkload& of : totals.workloads) {
        each += fmt::format("{}{} {}", each.empty() ? "" : ", ", of.workload, of.rounds);
    }
    std::uint64_t compared = 0;
    for (const Totals::OfStage& stage : totals.stages) {
        compared += stage.bytes;
    }
    std::string out =
        fmt::format("  in all   {} rounds ({}): {} in {:.2f} s; {} MiB compared, {} MiB of them "
                    "after eviction\n",
                    totals.rounds, each, plural(totals.ops, "operation"), totals.seconds,
                    compared >> 20U, totals.bytes_after_eviction() >> 20U);
    for (const Totals::OfFault& of : totals.known_faults) {
        out += fmt::format("           {} met in {}, first by {} with seed {}\n", of.name,
                           plural(of.rounds, "round"), of.workload, of.seed);
    }
    return out;
}

/// A line for each reason.
std::string left_out_text(const std::vector<LeftOut>& left_out) {
    std::vector<std::pair<std::string, std::string>> reasons; // in order, each with its operations
    for (const LeftOut& one : left_out) {
        const auto same =
            std::ranges::find(reasons, one.reason, [](const auto& known) { return known.first; });
        if (same == reasons.end()) {
            reasons.emplace_back(one.reason, one.operation);
        } else {
            same->second += ", " + one.operation;
        }
    }
    std::string out;
    for (const auto& [reason, operations] : reasons) {
        out += fmt::format("  left out {}: {}\n", operations, reason);
    }
    return out;
}

/// Empty if nothing was found.
std::string past_eof_text(const RunResult& result) {
    if (result.past_eof.empty()) {
        return {};
    }
    const PastEof& first = result.past_eof.front();
    return fmt::format(
        "  remark   {} stored past the end of a file became part of it when it grew; "
        "mmap(2) leaves that open\n"
        "           first: file {} at {}+{}, by {} (--past-eof zero: it is damage)\n",
        plural(result.past_eof.size(), "range"), first.file.value, first.range.begin.value,
        first.range.size().value, op_text(result, first.stored_by));
}

std::string verdict_text(const RunResult& result, const Colours& colours) {
    switch (result.verdict()) {
    case Verdict::clean:
        return colours.as_good("clean") +
               (result.on_disk
                    ? ": every byte on disk is as expected\n"
                    : ": every byte is as expected outside this filesystem's page cache (no "
                      "block device is known behind it: no disk was checked)\n");
    case Verdict::damaged:
        return fmt::format("{}: {}\n", colours.as_bad("DAMAGED"),
                           plural(result.damage.size() + result.damage_not_kept, "range"));
    case Verdict::hung:
        return colours.as_bad("HUNG") + ": the filesystem has not answered\n";
    case Verdict::usage:
    case Verdict::unknown:
        break;
    }
    const StageResult& cold = result.stages[static_cast<std::size_t>(Stage::evicted)];
    const std::string verdict = colours.as_doubtful("COULD NOT TELL");
    return result.cut_short && result.cut_short->synced_bytes != 0 &&
                   cold.state == StageResult::State::checked
               ? verdict + ": what had been synced before is as expected; nothing is known about "
                           "the rest\n"
               : verdict + "\n";
}

} // namespace

std::string human_text(const RunResult& result, std::size_t max_ranges,
                       const std::vector<std::string>& story, const Colours& colours) {
    const std::string done =
        result.hung ? "hung"
        : result.cut_short && result.problems.empty()
            ? (result.rounds > 1 ? fmt::format("cut short in each of {} rounds", result.rounds)
                                 : "cut short")
            : fmt::format("{}{} in {:.2f} s",
                          result.rounds > 1 ? fmt::format("round {}, ", result.rounds) : "",
                          plural(result.ops, "operation"), result.seconds);
    std::string out = fmt::format(
        "{}, seed {}: {} on {}{} (Linux {}){}\n",
        result.header.workload.empty() ? "schedule" : result.header.workload, result.header.seed,
        done, result.filesystem.empty() ? "an unknown filesystem" : result.filesystem,
        result.partialfs.empty() || result.filesystem == "fuse.partialfs" ? "" : " (partialfs)",
        result.kernel,
        result.interrupted && !result.cut_short ? ", ended before the schedule did" : "");
    if (!result.memory.empty()) {
        out += fmt::format("  memory   {}\n", result.memory);
    }
    out += commits_text(result.commits);
    out += totals_text(result.totals);
    out += left_out_text(result.left_out);
    if (result.cut_short) {
        out += fmt::format("  all operations up to {} had been carried out, none after {} begun:\n"
                           "  {} had been synced and must be there; of other bytes the old and the "
                           "new ones are right\n",
                           result.cut_short->done.value, result.cut_short->begun.value,
                           plural(result.cut_short->synced_bytes, "byte"));
    }
    for (std::size_t i = 0; i < kStages; ++i) {
        const StageResult& stage = result.stages[i];
        const bool nothing_asked =
            static_cast<Stage>(i) == Stage::during && stage.state == StageResult::State::skipped;
        if (!nothing_asked && !result.hung) {
            out += stage_text(static_cast<Stage>(i), stage);
        }
    }
    const bool gone_from_memory = std::ranges::any_of(result.damage, [](const DamagedRange& one) {
        return one.in(Stage::live) && one.kind != DamageKind::past_eof;
    });
    if (gone_from_memory) {
        out += "           (in the mapping, too: of a page that left memory while the run went on, "
               "the\n"
               "            mapping has what was read back from disk)\n";
    }
    out += past_eof_text(result);
    for (const KnownFault& fault : known_faults(result)) {
        out += fmt::format("  known    {}: {}\n", fault.name, fault.text);
    }
    for (const Problem& problem : result.problems) {
        out += problem.op.value == 0 ? fmt::format("  problem: {}\n", problem.message)
                                     : fmt::format("  problem at operation {}: {}\n",
                                                   problem.op.value, problem.message);
    }
    const auto list = [&](const char* title, const std::vector<std::string>& lines) {
        if (lines.empty()) {
            return;
        }
        out += fmt::format("{}\n", title);
        for (std::size_t i = 0; i < std::min(max_ranges, lines.size()); ++i) {
            out += fmt::format("  {}\n", lines[i]);
        }
        if (lines.size() > max_ranges) {
            out += fmt::format("  ... and {} more\n", lines.size() - max_ranges);
        }
    };
    out += verdict_text(result, colours);
    for (std::size_t i = 0; i < std::min(max_ranges, result.damage.size()); ++i) {
        out += range_text(result, result.damage[i]);
    }
    if (result.damage.size() > max_ranges) {
        out += fmt::format("  ... and {} more (--max-ranges, or the report)\n",
                           result.damage.size() - max_ranges);
    }
    list("as the 2006 test program would say:", story);
    list("what the program's own checker says:", result.judgement);
    if (result.kept) {
        out += fmt::format("files kept in {}\n", result.directory);
    }
    return out;
}

std::string present(const RunResult& result, const Output& output,
                    const std::vector<std::string>& story) {
    switch (output.format) {
    case Format::json:
        return report_json(result,
                           result.interrupted ? ReportState::interrupted : ReportState::finished);
    case Format::ktap:
        return ktap(suite_of(result, output.max_ranges));
    case Format::junit:
        return junit(suite_of(result, output.max_ranges));
    case Format::human:
        break;
    }
    return human_text(result, output.max_ranges, story,
                      partialfs::base::colours_for(partialfs::tools::is_terminal(STDOUT_FILENO)));
}

namespace {

/// The part of all rounds that is done, from 0 to 1; below 0: not known.
double part_of(const Extent& extent, std::uint64_t round, std::optional<double> of_round,
               double seconds) {
    if (extent.duration) {
        return seconds / std::chrono::duration<double>(*extent.duration).count();
    }
    if (!of_round) {
        return -1;
    }
    const double before = static_cast<double>(round - 1);
    return (before + std::min(*of_round, 1.0)) / static_cast<double>(extent.rounds);
}

} // namespace

std::function<void(const Progress&)> progress_bar(const Extent& extent,
                                                  const std::uint64_t& round) {
    // Copies of the function share one line: each part of a run has a copy.
    return [extent, &round, line = std::make_shared<partialfs::tools::ProgressLine>("mmapstress")](
               const Progress& progress) {
        if (!line->is_due()) {
            return;
        }
        std::optional<double> of_round;
        std::string what;
        if (progress.phase == Progress::Phase::verifying) {
            of_round = progress.total == 0 ? 1
                                           : static_cast<double>(progress.bytes) /
                                                 static_cast<double>(progress.total);
            what = fmt::format("verifying {} MiB", progress.bytes >> 20U);
        } else {
            if (extent.ops && *extent.ops != 0) {
                of_round = static_cast<double>(progress.ops) / static_cast<double>(*extent.ops);
            }
            what = plural(progress.ops, "operation");
        }
        if (round > 1 || extent.rounds > 1) {
            what = fmt::format("round {}, {}", round, what);
        }
        line->show(part_of(extent, round, of_round, line->seconds()), what);
    };
}

bool print(const std::string& text) {
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
           std::fflush(stdout) == 0;
}

void complain(const std::string& message) {
    fmt::print(stderr, "mmapstress: {}\n", message);
}

} // namespace mmapstress
