// The table of eras by filesystems.
#include "tools/vmmodel/show/describe.hpp"
#include "tools/vmmodel/show/render.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>

namespace vmmodel {

namespace {

constexpr std::array kHarmColumns{Harm::lost, Harm::fsync_not_durable, Harm::msync_not_durable};

constexpr const char* kNever = "never";
constexpr const char* kIncomplete = "not found (incomplete)";

std::string cell_of(const Search& search, Harm harm) {
    if (const Found* found = search.of(harm)) {
        return (found->needs_race ? "race: " : "") + list_of(events_of(found->run));
    }
    return search.complete ? kNever : kIncomplete;
}

/// A cell of the table in its colour.
std::string painted(const std::string& cell, const partialfs::base::Colours& colours) {
    if (cell == kNever) {
        return colours.as_good(cell);
    }
    return cell == kIncomplete ? colours.as_doubtful(cell) : colours.as_bad(cell);
}

std::string bounds_text(const Bounds& bounds) {
    constexpr std::array<std::string_view, kEvents> kNames{"stores",     "writes", "commits",
                                                           "writepages", "fsyncs", "msyncs",
                                                           "unmaps",     "strips", "truncates"};
    std::string text = fmt::format("pages {}, blocks {}, processes {}", bounds.pages, bounds.blocks,
                                   bounds.processes);
    for (std::size_t i = 0; i < kEvents; ++i) {
        if (bounds.events[i] > 0) {
            text += fmt::format(", {} {}", kNames[i], bounds.events[i]);
        }
    }
    return text;
}

struct Total {
    std::uint64_t states = 0;
    double seconds = 0;
    bool complete = true;
};

Total total_of(const std::vector<Search>& searches) {
    Total total;
    for (const Search& search : searches) {
        total.states += search.states;
        total.seconds += search.seconds;
        total.complete = total.complete && search.complete;
    }
    return total;
}

} // namespace

std::string era_table(const std::vector<Search>& searches,
                      const partialfs::base::Colours& colours) {
    std::array<std::size_t, 5> widths{3, 10, 4, 17, 17};
    std::vector<std::array<std::string, 5>> rows{
        {"era", "filesystem", "lost", "fsync not durable", "msync not durable"}};
    for (const Search& search : searches) {
        rows.push_back({std::string{rules_of(search.era).name},
                        std::string{rules_of(search.filesystem).name}, "", "", ""});
        for (std::size_t i = 0; i < kHarmColumns.size(); ++i) {
            rows.back()[i + 2] = cell_of(search, kHarmColumns[i]);
        }
    }
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], row[i].size());
        }
    }
    std::string out;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const bool is_harm = &row != &rows.front() && i >= 2;
            line += (is_harm ? painted(row[i], colours) : row[i]) +
                    std::string(widths[i] - row[i].size() + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + '\n';
    }
    const Total total = total_of(searches);
    out += fmt::format(
        "\nlost: evicted while the disk had older bytes, gone for good. not durable: the call\n"
        "returned success and the bytes are not on disk, though a later unmap may save them.\n"
        "race: only if threads interrupt each other; the rest happens one after another.\n"
        "Bounds: {}. {} states, {}; the {} searches took {:.1f} s together, several at a time.\n",
        searches.empty() ? "" : bounds_text(searches.front().bounds), total.states,
        total.complete ? "complete" : "incomplete", searches.size(), total.seconds);
    return out;
}

std::string era_table_markdown(const std::vector<Search>& searches) {
    std::string out = "| kernel | filesystem | lost | fsync not durable | msync not durable |\n"
                      "|---|---|---|---|---|\n";
    for (const Search& search : searches) {
        out +=
            fmt::format("| {} | {} |", rules_of(search.era).name, rules_of(search.filesystem).name);
        for (const Harm harm : kHarmColumns) {
            out += fmt::format(" {} |", cell_of(search, harm));
        }
        out += '\n';
    }
    return out;
}

std::string era_table_json(const std::vector<Search>& searches) {
    auto rows = nlohmann::ordered_json::array();
    for (const Search& search : searches) {
        rows.push_back(nlohmann::ordered_json::parse(search_json(search)));
    }
    return rows.dump(2) + '\n';
}

} // namespace vmmodel
