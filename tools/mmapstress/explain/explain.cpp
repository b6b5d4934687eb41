#include "tools/mmapstress/explain/explain.hpp"

#include "tools/mmapstress/explain/block_picture.hpp"
#include "tools/mmapstress/explain/taken_chain.hpp"
#include "tools/mmapstress/explain/words.hpp"
#include "tools/mmapstress/result/known_faults.hpp"
#include "tools/schedule/page_history.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace mmapstress {
namespace {

using partialfs::model::Nanoseconds;

/// How many entries of a page's history are shown before and after each operation concerned.
constexpr std::size_t kEntriesBefore = 2;
constexpr std::size_t kEntriesAfter = 4;

/// Entries of a page's history in a brief explanation.
constexpr std::size_t kBriefEntries = 6;

/// Rows of the picture of a page's blocks.
constexpr std::size_t kPictureRows = 12;

std::string number(std::uint64_t value) {
    return std::to_string(value);
}

/// "0.012345 s", counted from the beginning of the story.
std::string seconds_since(Nanoseconds begin, Nanoseconds time) {
    const double seconds =
        (static_cast<double>(time.value) - static_cast<double>(begin.value)) / 1e9;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%11.6f s", seconds);
    return text.data();
}

class Explainer {
  public:
    Explainer(const Report& report, const Evidence& evidence, const ExplainStyle& style)
        : result_(report.result), evidence_(evidence), style_(style),
          begin_(first_time(report.result, evidence)) {}

    std::string explain() {
        if (result_.damage.empty()) {
            out_ = "The report has no damage.\n";
        }
        for (const KnownFault& fault : known_faults(result_)) {
            line(std::string(fault.name) + ": " + fault.text + "\n");
        }
        const std::size_t shown = std::min(style_.max_ranges, result_.damage.size());
        for (std::size_t i = 0; i < shown; ++i) {
            out_ += i == 0 ? "" : "\n";
            explain_range(result_.damage[i]);
        }
        if (const std::size_t more = result_.damage.size() - shown + result_.damage_not_kept;
            more > 0) {
            out_ += "\n... and " + number(more) + " more ranges (--max-ranges, --all).\n";
        }
        return std::move(out_);
    }

  private:
    void line(const std::string& text) { out_ += text + '\n'; }

    [[nodiscard]] std::string named(OpId op) const { return op_words(result_, op); }

    void explain_range(const DamagedRange& damage) {
        const PageIndex page = damage.range.first_page();
        const std::uint64_t in_page = damage.range.begin.value % kPageSize;
        const std::uint64_t last_in_page = (damage.range.end.value - 1) % kPageSize;
        line(result_.files.at(damage.file.value) + ": " + number(damage.range.size().value) +
             " bytes at " + number(damage.range.begin.value) + " (file " +
             number(damage.file.value) + ", page " + number(page.value) + ", bytes " +
             number(in_page) + " to " + number(last_in_page) + " of the page)");
        line("  lost:    " + style_.colours.as_bad(lost_words(result_, damage)));
        line("  instead: " + instead_words(result_, damage));
        if (!style_.all) {
            tell_briefly(damage, page);
            return;
        }
        if (evidence_.schedule) {
            tell_history(*evidence_.schedule, damage, page);
        }
        if (evidence_.trace) {
            tell_chain(damage);
        }
    }

    /// How the bytes were lost, if the trace shows it; else the end of the page's history.
    void tell_briefly(const DamagedRange& damage, PageIndex page) {
        if (evidence_.trace && !chain_of(damage, events_of(damage.file)).empty()) {
            tell_steps(chain_of(damage, events_of(damage.file)));
            return;
        }
        if (!evidence_.schedule) {
            return;
        }
        const auto history = page_history(*evidence_.schedule, damage.file, page, result_.last_op);
        const auto shown = worth_telling(history, damage);
        std::vector<std::size_t> worth;
        for (std::size_t i = 0; i < history.size(); ++i) {
            if (shown[i]) {
                worth.push_back(i);
            }
        }
        const std::size_t first = worth.size() - std::min(worth.size(), kBriefEntries);
        line("  page " + number(page.value) + ", the last of what it went through:");
        for (std::size_t i = first; i < worth.size(); ++i) {
            tell_entry(history[worth[i]], damage);
        }
    }

    void tell_history(const Schedule& schedule, const DamagedRange& damage, PageIndex page) {
        const auto history = page_history(schedule, damage.file, page, result_.last_op);
        const auto shown = worth_telling(history, damage);
        line("  page " + number(page.value) + " in order:");
        for (std::size_t i = 0; i < history.size();) {
            if (shown[i]) {
                tell_entry(history[i++], damage);
                continue;
            }
            const std::size_t first = i;
            while (i < history.size() && !shown[i]) {
                ++i;
            }
            line("    ... (" + number(i - first) + " more)");
        }
    }

    /// Which entries help to explain the loss: those around the operations concerned, so that the
    /// first commits and flushes afterwards are among them.
    static std::vector<bool> worth_telling(const std::vector<HistoryEntry>& history,
                                           const DamagedRange& damage) {
        std::vector<bool> shown(history.size());
        std::size_t since = kEntriesAfter + 1; // entries since the last operation concerned
        for (std::size_t i = 0; i < history.size(); ++i) {
            const HistoryEntry& entry = history[i];
            const bool concerned = entry.touch == Touch::content &&
                                   (entry.op.id == damage.lost || entry.op.id == damage.origin ||
                                    std::ranges::find(damage.ops, entry.op.id) != damage.ops.end());
            since = concerned ? 0 : since + 1;
            shown[i] = since <= kEntriesAfter;
            for (std::size_t before = 1; concerned && before <= std::min(i, kEntriesBefore);
                 ++before) {
                shown[i - before] = true;
            }
        }
        return shown;
    }

    void tell_entry(const HistoryEntry& entry, const DamagedRange& damage) {
        std::string text;
        print_op(text, entry.op);
        text.pop_back(); // its newline
        if (entry.count > 1) {
            text += "  ... " + number(entry.last.value) + " (" + number(entry.count) +
                    (entry.touch == Touch::commit ? " commits or flushes of other files)"
                                                  : " flushes)");
        }
        if (entry.op.id == damage.lost) {
            text += "  <- lost";
        } else if (entry.op.id == damage.origin) {
            text += "  <- what is there now";
        }
        line("    " + text);
    }

    [[nodiscard]] std::vector<TraceEvent> events_of(FileIndex file) const {
        std::vector<TraceEvent> of_file;
        const std::string path = trace_path(result_, file);
        std::ranges::copy_if(*evidence_.trace, std::back_inserter(of_file),
                             [&](const TraceEvent& event) {
                                 return event.path == path || concerns_all_files(event);
                             });
        return of_file;
    }

    [[nodiscard]] std::vector<ChainStep> chain_of(const DamagedRange& damage,
                                                  const std::vector<TraceEvent>& of_file) const {
        return loss_chain(damage, of_file, result_.named_times);
    }

    void tell_steps(const std::vector<ChainStep>& chain) {
        line("  how it was lost:");
        for (const ChainStep& step : chain) {
            line("    " +
                 (step.time ? seconds_since(begin_, *step.time) : std::string("      later  ")) +
                 "  " + step.what +
                 (step.op.value != 0 ? " (" + named(step.op) + ")" : std::string()));
        }
    }

    void tell_chain(const DamagedRange& damage) {
        const std::vector<TraceEvent> of_file = events_of(damage.file);
        const auto chain = chain_of(damage, of_file);
        if (chain.empty()) {
            const bool known = std::ranges::any_of(
                of_file, [](const TraceEvent& event) { return !concerns_all_files(event); });
            line("  the trace does not show this loss" +
                 (!known ? " (nor of the file " + trace_path(result_, damage.file) + ")"
                         : std::string()));
            return;
        }
        tell_steps(chain);
        const std::string picture =
            draw(block_picture(damage.range.first_page(), of_file, timed_stores(damage)), begin_,
                 kPictureRows);
        if (!picture.empty()) {
            line("  the blocks of page " + number(damage.range.first_page().value) + ":");
            out_ += picture;
        }
    }

    /// The stores into the damaged page whose times are known.
    [[nodiscard]] std::vector<TimedStore> timed_stores(const DamagedRange& damage) const {
        std::vector<TimedStore> stores;
        if (!evidence_.schedule) {
            return stores;
        }
        for (const Op& op : evidence_.schedule->ops) {
            const auto time = result_.named_times.find(op.id);
            if (op.kind == OpKind::store && op.file == damage.file &&
                time != result_.named_times.end() &&
                !intersect(op.range(), range_of(damage.range.first_page())).empty()) {
                stores.push_back({time->second, op.id, op.range()});
            }
        }
        std::ranges::sort(stores, {}, &TimedStore::time);
        return stores;
    }

    const RunResult& result_;
    const Evidence& evidence_;
    const ExplainStyle& style_;
    Nanoseconds begin_;
    std::string out_;
};

} // namespace

Nanoseconds first_time(const RunResult& result, const Evidence& evidence) {
    const bool traced = evidence.trace && !evidence.trace->empty();
    Nanoseconds first = traced ? evidence.trace->front().time : Nanoseconds{};
    if (!result.named_times.empty()) {
        const Nanoseconds op = result.named_times.begin()->second;
        first = traced ? std::min(first, op) : op;
    }
    return first;
}

std::string trace_path(const RunResult& result, FileIndex file) {
    return std::filesystem::path(result.files.at(file.value))
        .lexically_relative(result.partialfs)
        .string();
}

std::string explain(const Report& report, const Evidence& evidence, const ExplainStyle& style) {
    return Explainer{report, evidence, style}.explain();
}

} // namespace mmapstress
