#include "tools/vmmodel/show/render.hpp"

#include "tools/vmmodel/show/describe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace vmmodel {

namespace {

std::string per_page(const Search& search, const auto& text) {
    std::string all;
    for (int page = 0; page < search.bounds.pages; ++page) {
        all += (page == 0 ? "" : "|") + text(page);
    }
    return all;
}

std::string pte_column(const State& state, const Search& search) {
    return per_page(search, [&](int page) {
        std::string text;
        for (int process = 0; process < search.bounds.processes; ++process) {
            text += (process == 0 ? "" : ",") +
                    pte_text(state.pages[static_cast<std::size_t>(page)], process);
        }
        return text;
    });
}

std::string cell_column(const State& state, const Search& search,
                        std::string (*text)(const PageCell&, int)) {
    return per_page(search, [&](int page) {
        return text(state.pages[static_cast<std::size_t>(page)], search.bounds.blocks);
    });
}

using Row = std::array<std::string, 9>;

std::string aligned(const std::vector<Row>& rows) {
    std::array<std::size_t, 9> widths{};
    for (const Row& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], row[i].size());
        }
    }
    std::string out;
    for (const Row& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += fmt::format("{:<{}}  ", row[i], widths[i]);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + '\n';
    }
    return out;
}

std::string heading(const Search& search) {
    return fmt::format("{}, {}", rules_of(search.era).name, rules_of(search.filesystem).name);
}

std::string counts(const Search& search) {
    return fmt::format("{} states, {} transitions, {}", search.states, search.transitions,
                       search.complete ? "complete" : "incomplete");
}

} // namespace

std::string run_table(const Run& run, const Search& search) {
    std::vector<Row> rows{{"#", "who", "step", "PTE", "page", "blocks", "memory", "disk", ""}};
    const State* before = &run.start;
    std::size_t number = 0;
    for (const Run::Taken& taken : run.steps) {
        const State& after = taken.after;
        rows.push_back({std::to_string(++number), name_of(taken.transition.who, search.bounds),
                        text_of(taken, search.bounds), pte_column(after, search),
                        per_page(search, [&](int page) { return flags_text(after, page); }),
                        cell_column(after, search, blocks_text),
                        cell_column(after, search, memory_text),
                        cell_column(after, search, disk_text),
                        std::string{meaning_of(taken, *before, rules_of(search.era))}});
        before = &after;
    }
    return aligned(rows);
}

std::string search_text(const Search& search, const partialfs::base::Colours& colours) {
    std::string out;
    for (const Found& found : search.found) {
        const auto events = events_of(found.run);
        out += fmt::format("{}: {}.\nIn {} events{}: {}.\n\n{}\n", heading(search),
                           colours.as_bad(sentence_of(found.harm)), events.size(),
                           found.needs_race ? ", in a race" : "", list_of(events),
                           run_table(found.run, search));
    }
    if (!search.found.empty()) {
        out += "PTE: r present, rw writable, d dirty. page: D PG_dirty, W PG_writeback, L locked.\n"
               "blocks: d dirty, o on the ordered list, x both, c committing, ~ on the way to disk."
               "\nmemory, disk: which version each block has; . is the one from before.\n\n";
    }
    for (const Way& way : search.ways) {
        out += fmt::format("{}: {}{} ({} times)\n", name_of(way.harm),
                           way.needs_race ? "race: " : "", list_of(way.events), way.count);
    }
    if (!search.ways.empty()) {
        out += '\n';
    }
    if (search.found.empty() && search.complete) {
        out += fmt::format("{}: {}: {}\n", heading(search),
                           colours.as_good("no store can be lost within these bounds"),
                           counts(search));
    } else if (search.found.empty()) {
        out += fmt::format("{}: {}: {}\n", heading(search),
                           colours.as_doubtful("no harm found, but the search is incomplete"),
                           counts(search));
    } else {
        out += counts(search) + '\n';
    }
    return out;
}

std::string rendered(const Search& search, Format format, const partialfs::base::Colours& colours) {
    switch (format) {
    case Format::json:
        return search_json(search);
    case Format::dot:
        return search_dot(search);
    case Format::svg:
        return search_svg(search);
    case Format::table:
        break;
    }
    return search_text(search, colours);
}

} // namespace vmmodel
