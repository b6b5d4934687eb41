#include "tools/mmapstress/explain/html.hpp"

#include "tools/mmapstress/explain/block_picture.hpp"
#include "tools/mmapstress/explain/taken_chain.hpp"
#include "tools/mmapstress/explain/words.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace mmapstress {

/// The text of explain/page.html.
extern const std::string_view kExplainPage;

namespace {

using Json = nlohmann::json;
using partialfs::model::Nanoseconds;

/// Rows of a page's blocks that are shown: the last ones.
constexpr std::size_t kRowsShown = 100;
/// The fewest bytes that a cell of the map shows, where no trace says how large a block is.
constexpr std::uint64_t kUnknownBlock = 1024;

/// Texts that are in the page's data once, however often they are shown.
class Texts {
  public:
    std::size_t number_of(const std::string& text) {
        const auto [known, fresh] = numbers_.try_emplace(text, list_.size());
        if (fresh) {
            list_.push_back(text);
        }
        return known->second;
    }
    Json take() { return std::move(list_); }

  private:
    std::unordered_map<std::string, std::size_t> numbers_;
    Json list_ = Json::array();
};

/// A damaged page of a file, and what is known of its past.
struct PagePast {
    FileIndex file;
    PageIndex page;
    std::vector<TraceEvent> events;
    std::vector<TimedStore> stores;

    [[nodiscard]] std::pair<FileIndex, PageIndex> key() const { return {file, page}; }
};

class PageMaker {
  public:
    PageMaker(const Report& report, const Evidence& evidence)
        : result_(report.result), evidence_(evidence), begin_(first_time(result_, evidence)) {
        for (const DamagedRange& damage : result_.damage) {
            const PageIndex page = damage.range.first_page();
            if (pasts_.empty() || pasts_.back().key() != std::pair{damage.file, page}) {
                pasts_.push_back({damage.file, page, {}, {}});
            }
        }
        gather_events();
        gather_stores();
    }

    Json make(const std::string& command) {
        Json ranges = Json::array();
        Json pages = Json::array();
        std::size_t past = 0;
        for (const DamagedRange& damage : result_.damage) {
            while (pasts_[past].key() != std::pair{damage.file, damage.range.first_page()}) {
                ++past;
            }
            if (pages.size() <= past) {
                pages.push_back(rows_of(pasts_[past]));
            }
            ranges.push_back(range_json(damage, past));
        }
        Json files = Json::array();
        for (std::size_t i = 0; i < result_.files.size(); ++i) {
            files.push_back({{"path", result_.files[i]}, {"size", result_.sizes[i].value}});
        }
        return {{"verdict", name_of(result_.verdict())},
                {"summary", summary()},
                {"command", command},
                {"page", kPageSize},
                {"block", block_},
                {"traced", evidence_.trace.has_value()},
                {"files", std::move(files)},
                {"kinds", names(kDamageKinds)},
                {"stages", names(kStageNames)},
                {"ranges", std::move(ranges)},
                {"pages", std::move(pages)},
                {"commits", commits()},
                {"not_kept", result_.damage_not_kept},
                {"texts", texts_.take()}};
    }

  private:
    static Json names(const auto& table) {
        Json list = Json::array();
        for (const auto& row : table) {
            list.push_back(row.name);
        }
        return list;
    }

    [[nodiscard]] std::string summary() const {
        const std::string workload =
            result_.header.workload.empty() ? "schedule" : result_.header.workload;
        return workload + ", seed " + std::to_string(result_.header.seed) + ", " +
               std::to_string(result_.ops) + " operations on " + result_.filesystem + " (Linux " +
               result_.kernel +
               "): " + std::to_string(result_.damage.size() + result_.damage_not_kept) +
               " damaged ranges";
    }

    /// Microseconds from the beginning of the story.
    [[nodiscard]] std::int64_t micros(Nanoseconds time) const {
        return (static_cast<std::int64_t>(time.value) - static_cast<std::int64_t>(begin_.value)) /
               1000;
    }

    /// Calls `visit(PagePast&)` for the damaged pages that `bytes` touch.
    template <typename Visit>
    void for_each_past(FileIndex file, ByteRange bytes, Visit visit) {
        if (bytes.empty()) {
            return;
        }
        auto past = std::ranges::lower_bound(pasts_, std::pair{file, bytes.first_page()}, {},
                                             &PagePast::key);
        for (; past != pasts_.end() && past->file == file &&
               partialfs::model::start_of(past->page) < bytes.end;
             ++past) {
            visit(*past);
        }
    }

    /// Takes from the trace the events of the damaged pages, and the size of a block.
    void gather_events() {
        if (!evidence_.trace) {
            return;
        }
        std::unordered_map<std::string, FileIndex> files;
        for (std::uint32_t i = 0; i < result_.files.size(); ++i) {
            files[trace_path(result_, FileIndex{i})] = FileIndex{i};
        }
        for (const TraceEvent& event : *evidence_.trace) {
            if (concerns_all_files(event)) {
                std::ranges::for_each(pasts_,
                                      [&](PagePast& past) { past.events.push_back(event); });
                continue;
            }
            const auto file = files.find(event.path);
            if (file == files.end()) {
                continue;
            }
            if (const std::size_t blocks = event.blocks.size() + event.written.size();
                blocks != 0) {
                block_ = kPageSize / (event.blocks.empty() ? event.written : event.blocks).size();
            }
            if (event.page || event.event == "explicit-write" || event.event == "fault" ||
                event.event.starts_with("cut-")) {
                for_each_past(file->second,
                              event.page            ? partialfs::model::range_of(*event.page)
                              : event.bytes.empty() ? partialfs::model::kAllBytes
                                                    : event.bytes,
                              [&](PagePast& past) { past.events.push_back(event); });
            }
        }
    }

    void gather_stores() {
        if (!evidence_.schedule) {
            return;
        }
        for (const Op& op : evidence_.schedule->ops) {
            const auto time = result_.named_times.find(op.id);
            if (op.kind == OpKind::store && time != result_.named_times.end()) {
                for_each_past(op.file, op.range(), [&](PagePast& past) {
                    past.stores.push_back({time->second, op.id, op.range()});
                });
            }
        }
        for (PagePast& past : pasts_) {
            std::ranges::sort(past.stores, {}, &TimedStore::time);
        }
    }

    Json rows_of(const PagePast& past) {
        Json rows = Json::array();
        const auto picture = block_picture(past.page, past.events, past.stores);
        const std::size_t first = picture.size() - std::min(picture.size(), kRowsShown);
        for (std::size_t i = first; i < picture.size(); ++i) {
            rows.push_back({micros(picture[i].time), letters_of(picture[i].blocks),
                            texts_.number_of(picture[i].what)});
        }
        return rows;
    }

    Json range_json(const DamagedRange& damage, std::size_t past) {
        Json chain = Json::array();
        if (evidence_.trace) {
            for (const ChainStep& step :
                 loss_chain(damage, pasts_[past].events, result_.named_times)) {
                const std::string words =
                    step.what + (step.op.value == 0 ? "" : " (" + op_words(result_, step.op) + ")");
                chain.push_back(
                    {step.time ? Json(micros(*step.time)) : Json(), texts_.number_of(words)});
            }
        }
        Json operations = Json::array();
        for (const OpId op : damage.ops) {
            operations.push_back(texts_.number_of(op_words(result_, op)));
        }
        return {damage.file.value,
                damage.range.begin.value,
                damage.range.size().value,
                static_cast<unsigned>(damage.kind),
                texts_.number_of(lost_words(result_, damage)),
                texts_.number_of(instead_words(result_, damage)),
                damage.stages,
                past,
                std::move(chain),
                std::move(operations)};
    }

    [[nodiscard]] Json commits() const {
        Json list = Json::array();
        if (evidence_.trace) {
            for (const TraceEvent& event : *evidence_.trace) {
                if (event.event == "commit") {
                    list.push_back({micros(event.time), event.commit});
                }
            }
        }
        return list;
    }

    const RunResult& result_;
    const Evidence& evidence_;
    Nanoseconds begin_;
    std::vector<PagePast> pasts_; ///< ordered as the damage is
    std::uint64_t block_ = kUnknownBlock;
    Texts texts_;
};

} // namespace

std::string explain_html(const Report& report, const Evidence& evidence,
                         const std::string& command) {
    constexpr std::string_view kPlace = "@DATA@";
    std::string json = PageMaker(report, evidence)
                           .make(command)
                           .dump(-1, ' ', true, Json::error_handler_t::replace);
    std::string page(kExplainPage);
    // A "<" in a name must not end the script element that the data stand in.
    std::string safe;
    safe.reserve(json.size());
    for (const char letter : json) {
        safe += letter == '<' ? std::string_view("\\u003c") : std::string_view(&letter, 1);
    }
    return page.replace(page.find(kPlace), kPlace.size(), safe);
}

} // namespace mmapstress
