#include "tools/mmapstress/commands/present.hpp"

#include "tools/mmapstress/report/formats.hpp"
#include "tools/mmapstress/report/report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace mmapstress {

namespace {

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
        return "unclear: too few bytes to tell where they come from";
    case DamageKind::missing:
        return "missing: the file is too short";
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
    if (result.wrong == 0) {
        return fmt::format("  {:<8} {} as expected\n", name, size_text(result.bytes));
    }
    return fmt::format("  {:<8} {} compared, {} WRONG in {}\n", name, size_text(result.bytes),
                       plural(result.wrong, "byte"), plural(result.ranges, "range"));
}

/// Nothing of a run without commits.
std::string commits_text(const Commits& commits) {
    if (commits.done == 0) {
        return {};
    }
    return fmt::format("  commits  {}, {}\n", commits.done,
                       commits.empty ? fmt::format("{} of them wrote nothing", *commits.empty)
                                     : "not judged: no device counts this filesystem's sectors");
}

std::string verdict_text(const RunResult& result) {
    switch (result.verdict()) {
    case Verdict::clean:
        return "clean: every byte on disk is as expected\n";
    case Verdict::damaged:
        return fmt::format("DAMAGED: {}\n",
                           plural(result.damage.size() + result.damage_not_kept, "range"));
    case Verdict::usage:
    case Verdict::unknown:
        break;
    }
    return "COULD NOT TELL\n";
}

} // namespace

std::string human_text(const RunResult& result, std::size_t max_ranges,
                       const std::vector<std::string>& story) {
    const std::string done =
        result.cut_short
            ? "cut short"
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
    if (result.cut_short) {
        out +=
            fmt::format("  all operations up to {} had been carried out, none after {} begun:\n"
                        "  {} had been synced and must be there, of others old and new are right\n",
                        result.cut_short->done.value, result.cut_short->begun.value,
                        plural(result.cut_short->synced_bytes, "byte"));
    }
    for (std::size_t i = 0; i < kStages; ++i) {
        const StageResult& stage = result.stages[i];
        const bool nothing_asked =
            static_cast<Stage>(i) == Stage::during && stage.state == StageResult::State::skipped;
        if (!nothing_asked) {
            out += stage_text(static_cast<Stage>(i), stage);
        }
    }
    if (result.stages[static_cast<std::size_t>(Stage::live)].wrong != 0) {
        out += "           (in the mapping, too: of a page that left memory while the run went on, "
               "the\n"
               "            mapping has what was read back from disk)\n";
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
    out += verdict_text(result);
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
        return ktap(result, output.max_ranges);
    case Format::junit:
        return junit(result, output.max_ranges);
    case Format::human:
        break;
    }
    return human_text(result, output.max_ranges, story);
}

std::function<void(const Progress&)> progress_bar(const Extent& extent,
                                                  const std::uint64_t& round) {
    if (::isatty(STDERR_FILENO) == 0) {
        return nullptr;
    }
    struct State {
        std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
        std::chrono::steady_clock::time_point drawn;
    };
    return [extent, &round, state = std::make_shared<State>()](const Progress& progress) {
        const auto now = std::chrono::steady_clock::now();
        if (now - state->drawn < std::chrono::milliseconds(100)) {
            return;
        }
        state->drawn = now;
        const double elapsed = std::chrono::duration<double>(now - state->begin).count();
        double part = -1;
        std::string what;
        if (progress.phase == Progress::Phase::verifying) {
            part = progress.total == 0
                       ? 1
                       : static_cast<double>(progress.bytes) / static_cast<double>(progress.total);
            what = fmt::format("verifying {} MiB", progress.bytes >> 20U);
        } else {
            if (extent.duration) {
                part = elapsed / std::chrono::duration<double>(*extent.duration).count();
            } else if (extent.ops && *extent.ops != 0) {
                part = static_cast<double>(progress.ops) / static_cast<double>(*extent.ops);
            }
            what = plural(progress.ops, "operation");
        }
        if (round > 1) {
            what = fmt::format("round {}, {}", round, what);
        }
        constexpr std::size_t kWidth = 30;
        std::string bar;
        if (part >= 0) {
            const auto full = static_cast<std::size_t>(std::min(part, 1.0) * kWidth);
            bar = fmt::format("[{}{}] {:3.0f} % ", std::string(full, '#'),
                              std::string(kWidth - full, ' '), std::min(part, 1.0) * 100);
        }
        fmt::print(stderr, "\r\033[K{}{:.0f} s, {}", bar, elapsed, what);
        std::fflush(stderr);
    };
}

void clear_progress_bar() {
    if (::isatty(STDERR_FILENO) != 0) {
        fmt::print(stderr, "\r\033[K");
        std::fflush(stderr);
    }
}

bool print(const std::string& text) {
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
           std::fflush(stdout) == 0;
}

void complain(const std::string& message) {
    fmt::print(stderr, "mmapstress: {}\n", message);
}

} // namespace mmapstress
