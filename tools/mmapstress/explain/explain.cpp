#include "tools/mmapstress/explain/explain.hpp"

#include "tools/mmapstress/explain/block_picture.hpp"
#include "tools/schedule/page_history.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace mmapstress {
namespace {

using partialfs::model::Nanoseconds;

/// How much is told of what a page has been through before and after an operation concerned.
constexpr std::size_t kEntriesBefore = 2;
constexpr std::size_t kEntriesAfter = 4;

/// Rows of the picture of a page's blocks.
constexpr std::size_t kPictureRows = 12;

std::string number(std::uint64_t value) {
    return std::to_string(value);
}

/// "0.012345 s", from the beginning of what is told.
std::string seconds_since(Nanoseconds begin, Nanoseconds time) {
    const double seconds =
        (static_cast<double>(time.value) - static_cast<double>(begin.value)) / 1e9;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%11.6f s", seconds);
    return text.data();
}

class Explainer {
  public:
    Explainer(const Report& report, const Evidence& evidence)
        : result_(report.result), evidence_(evidence) {
        if (evidence.trace && !evidence.trace->empty()) {
            begin_ = evidence.trace->front().time;
        }
        if (!result_.named_times.empty()) {
            const Nanoseconds first = result_.named_times.begin()->second;
            begin_ = evidence.trace && !evidence.trace->empty() ? std::min(begin_, first) : first;
        }
    }

    std::string explain(std::size_t max_ranges) {
        if (result_.damage.empty()) {
            out_ = "The report tells of no damage.\n";
        }
        const std::size_t shown = std::min(max_ranges, result_.damage.size());
        for (std::size_t i = 0; i < shown; ++i) {
            out_ += i == 0 ? "" : "\n";
            explain_range(result_.damage[i]);
        }
        if (const std::size_t more = result_.damage.size() - shown + result_.damage_not_kept;
            more > 0) {
            out_ += "\n... and " + number(more) + " more ranges.\n";
        }
        return std::move(out_);
    }

  private:
    void line(const std::string& text) { out_ += text + '\n'; }

    [[nodiscard]] std::string named(OpId op) const {
        if (op.value == 0) {
            return "the file's start";
        }
        const auto text = result_.named_ops.find(op);
        return "operation " + (text == result_.named_ops.end() ? number(op.value) : text->second);
    }

    [[nodiscard]] std::string instead(const DamagedRange& damage) const {
        switch (damage.kind) {
        case DamageKind::stale:
            return "what was there before, from " + named(damage.origin);
        case DamageKind::zeros:
            return "zeros";
        case DamageKind::misplaced:
            return "bytes that belong to file " + number(damage.origin_file.value) + " at " +
                   number(damage.origin_offset.value) + ", from " + named(damage.origin);
        case DamageKind::foreign:
            return "bytes that no operation stored";
        case DamageKind::unclear:
            return "bytes that never stood here, too few to tell where they come from";
        case DamageKind::missing:
            return "nothing: the file is too short";
        }
        return {};
    }

    void explain_range(const DamagedRange& damage) {
        const PageIndex page = damage.range.first_page();
        const std::uint64_t in_page = damage.range.begin.value % kPageSize;
        const std::uint64_t last_in_page = (damage.range.end.value - 1) % kPageSize;
        line(result_.files.at(damage.file.value) + ": " + number(damage.range.size().value) +
             " bytes at " + number(damage.range.begin.value) + " (file " +
             number(damage.file.value) + ", page " + number(page.value) + ", bytes " +
             number(in_page) + " to " + number(last_in_page) + " of the page)");
        line("  lost:    " + named(damage.lost));
        line("  instead: " + instead(damage));
        if (evidence_.schedule) {
            tell_history(*evidence_.schedule, damage, page);
        }
        if (evidence_.trace) {
            tell_chain(*evidence_.trace, damage);
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

    /// Which entries say something of the loss: what is around the operations concerned, and the
    /// commits and flushes that followed first.
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

    void tell_chain(const std::vector<TraceEvent>& trace, const DamagedRange& damage) {
        std::vector<TraceEvent> of_file;
        const std::string path = std::filesystem::path(result_.files.at(damage.file.value))
                                     .lexically_relative(result_.partialfs)
                                     .string();
        std::ranges::copy_if(trace, std::back_inserter(of_file),
                             [&](const TraceEvent& event) { return event.path == path; });
        const auto chain = loss_chain(damage, of_file, result_.named_times);
        if (chain.empty()) {
            line("  the trace does not tell of this loss" +
                 (of_file.empty() ? " (nor of the file " + path + ")" : std::string()));
            return;
        }
        line("  how it was lost:");
        for (const ChainStep& step : chain) {
            line("    " +
                 (step.time ? seconds_since(begin_, *step.time) : std::string("      later  ")) +
                 "  " + step.what +
                 (step.op.value != 0 ? " (" + named(step.op) + ")" : std::string()));
        }
        const std::string picture =
            draw(block_picture(damage.range.first_page(), of_file, timed_stores(damage)), begin_,
                 kPictureRows);
        if (!picture.empty()) {
            line("  the blocks of page " + number(damage.range.first_page().value) + ":");
            out_ += picture;
        }
    }

    /// The stores into the damaged page of which it is known when they were made.
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
    Nanoseconds begin_;
    std::string out_;
};

} // namespace

std::string explain(const Report& report, const Evidence& evidence, std::size_t max_ranges) {
    return Explainer{report, evidence}.explain(max_ranges);
}

} // namespace mmapstress
