// Runs as JSON, as a Graphviz graph and as a picture.
#include "fusefs/base/xml.hpp"
#include "tools/vmmodel/show/describe.hpp"
#include "tools/vmmodel/show/render.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace vmmodel {

namespace {

using Json = nlohmann::ordered_json;
using partialfs::model::BlockInPage;

Json page_json(const State& state, int page, const Bounds& bounds) {
    const PageCell& cell = state.pages[static_cast<std::size_t>(page)];
    Json blocks = Json::array();
    for (int block = 0; block < bounds.blocks; ++block) {
        const BlockInPage b{static_cast<std::uint8_t>(block)};
        blocks.push_back({{"dirty", cell.fs.dirty.contains(b)},
                          {"ordered", cell.fs.ordered.contains(b)},
                          {"mapped", cell.fs.mapped.contains(b)},
                          {"committing", cell.committing.contains(b)},
                          {"io", cell.io.contains(b)},
                          {"memory", cell.memory(block)},
                          {"disk", cell.disk(block)}});
    }
    Json ptes = Json::array();
    for (int process = 0; process < bounds.processes; ++process) {
        const Pte pte = cell.pte[static_cast<std::size_t>(process)];
        ptes.push_back(
            {{"present", pte.present()}, {"writable", pte.writable()}, {"dirty", pte.dirty()}});
    }
    return {{"cached", cell.cached != 0},       {"page_dirty", cell.fs.page_dirty},
            {"writeback", cell.writeback != 0}, {"locked", page_locked(state, page)},
            {"ptes", std::move(ptes)},          {"blocks", std::move(blocks)}};
}

Json step_json(const Run::Taken& taken, const State& before, const Search& search) {
    Json pages = Json::array();
    for (int page = 0; page < search.bounds.pages; ++page) {
        pages.push_back(page_json(taken.after, page, search.bounds));
    }
    const StepText& text = text_of(taken.transition.step);
    return {{"who", name_of(taken.transition.who, search.bounds)},
            {"function", text.function},
            {"source", text.source},
            {"text", text_of(taken, search.bounds)},
            {"meaning", meaning_of(taken, before, rules_of(search.era))},
            {"pages", std::move(pages)}};
}

Json events_json(const std::vector<Step>& events) {
    Json names = Json::array();
    for (const Step event : events) {
        names.push_back(event_name(event));
    }
    return names;
}

Json found_json(const Found& found, const Search& search) {
    Json steps = Json::array();
    const State* before = &found.run.start;
    for (const Run::Taken& taken : found.run.steps) {
        steps.push_back(step_json(taken, *before, search));
        before = &taken.after;
    }
    return {{"harm", name_of(found.harm)},
            {"race", found.needs_race},
            {"events", events_json(events_of(found.run))},
            {"steps", std::move(steps)}};
}

std::string dot_label(const State& state, const Search& search) {
    std::string label;
    for (int page = 0; page < search.bounds.pages; ++page) {
        const PageCell& cell = state.pages[static_cast<std::size_t>(page)];
        if (search.bounds.pages > 1) {
            label += fmt::format("page {}\\l", page);
        }
        for (int process = 0; process < search.bounds.processes; ++process) {
            label += fmt::format("PTE {}\\l", pte_text(cell, process));
        }
        label += fmt::format("page {}\\lblocks {}\\lmemory {}\\ldisk {}\\l",
                             flags_text(state, page), blocks_text(cell, search.bounds.blocks),
                             memory_text(cell, search.bounds.blocks),
                             disk_text(cell, search.bounds.blocks));
    }
    return label;
}

/// Draws one run: a row a step, a square for each block in memory and on disk.
class Picture {
  public:
    Picture(const Search& search, const Found& found) : search_(search), found_(found) {}

    std::string draw() {
        const int rows = static_cast<int>(found_.run.steps.size());
        const int width = squares_left() + pages_width() * 2 + 330;
        const int height = kTop + rows * kRow + 20;
        out_ = fmt::format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
            "height=\"{1}\" font-family=\"monospace\" font-size=\"12\">\n"
            "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
            width, height);
        text(10, 20,
             fmt::format("{}, {}: {}", rules_of(search_.era).name,
                         rules_of(search_.filesystem).name, sentence_of(found_.harm)),
             "bold");
        const int heads = kTop - 12;
        text(10, heads, "who", "bold");
        text(kStep, heads, "step", "bold");
        text(kPte, heads, "PTE", "bold");
        text(kPage, heads, "page", "bold");
        text(squares_left(), heads, "memory", "bold");
        text(squares_left() + pages_width(), heads, "disk", "bold");
        const State* before = &found_.run.start;
        int y = kTop;
        for (const Run::Taken& taken : found_.run.steps) {
            row(taken, *before, y);
            before = &taken.after;
            y += kRow;
        }
        return out_ + "</svg>\n";
    }

  private:
    static constexpr int kTop = 62;
    static constexpr int kRow = 22;
    static constexpr int kSquare = 18;
    static constexpr int kStep = 95;
    static constexpr int kPte = 390;
    static constexpr int kPage = 460;

    [[nodiscard]] static int squares_left() { return 520; }
    [[nodiscard]] int pages_width() const {
        return std::max(60, search_.bounds.pages * (search_.bounds.blocks * kSquare + 8)) + 12;
    }

    void text(int x, int y, std::string_view what, std::string_view weight = "normal") {
        out_ += fmt::format("<text x=\"{}\" y=\"{}\" font-weight=\"{}\">{}</text>\n", x, y, weight,
                            partialfs::base::escaped(what));
    }

    /// A colour for each version; a block that is dirty has a thick border.
    void square(int x, int y, unsigned version, bool dirty) {
        constexpr std::array<std::string_view, 8> kColours{
            "#eeeeee", "#8ecae6", "#ffb703", "#b5e48c", "#f28482", "#cdb4db", "#90dbf4", "#f4a261"};
        out_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\" "
                            "stroke=\"#333333\" stroke-width=\"{}\"/>\n",
                            x, y, kSquare - 3, kSquare - 3, kColours[version % kColours.size()],
                            dirty ? 3 : 1);
        text(x + 4, y + 12, std::string(1, letter_of(version)));
    }

    void row(const Run::Taken& taken, const State& before, int y) {
        const bool harmed = taken.harm != Harm::none;
        text(10, y + 12, name_of(taken.transition.who, search_.bounds));
        text(kStep, y + 12, text_of(taken, search_.bounds), harmed ? "bold" : "normal");
        std::string ptes;
        std::string flags;
        int x = squares_left();
        for (int page = 0; page < search_.bounds.pages; ++page) {
            const PageCell& cell = taken.after.pages[static_cast<std::size_t>(page)];
            for (int process = 0; process < search_.bounds.processes; ++process) {
                ptes += (ptes.empty() ? "" : " ") + pte_text(cell, process);
            }
            flags += (flags.empty() ? "" : " ") + flags_text(taken.after, page);
            for (int block = 0; block < search_.bounds.blocks; ++block, x += kSquare) {
                const BlockInPage b{static_cast<std::uint8_t>(block)};
                if (cell.cached != 0) {
                    square(x, y, cell.memory(block), cell.fs.dirty.contains(b));
                }
                square(x + pages_width(), y, cell.disk(block), false);
            }
            x += 8;
        }
        text(kPte, y + 12, ptes);
        text(kPage, y + 12, flags);
        text(squares_left() + pages_width() * 2, y + 12,
             meaning_of(taken, before, rules_of(search_.era)), harmed ? "bold" : "normal");
    }

    const Search& search_;
    const Found& found_;
    std::string out_;
};

} // namespace

std::string search_json(const Search& search) {
    Json found = Json::array();
    for (const Found& one : search.found) {
        found.push_back(found_json(one, search));
    }
    Json ways = Json::array();
    for (const Way& way : search.ways) {
        ways.push_back({{"harm", name_of(way.harm)},
                        {"race", way.needs_race},
                        {"events", events_json(way.events)},
                        {"count", way.count}});
    }
    const Json all{{"era", rules_of(search.era).name},
                   {"filesystem", rules_of(search.filesystem).name},
                   {"pages", search.bounds.pages},
                   {"blocks", search.bounds.blocks},
                   {"processes", search.bounds.processes},
                   {"states", search.states},
                   {"transitions", search.transitions},
                   {"complete", search.complete},
                   {"found", std::move(found)},
                   {"ways", std::move(ways)}};
    return all.dump(2) + '\n';
}

std::string search_dot(const Search& search) {
    std::string out = "digraph run {\n  node [shape=box, fontname=monospace];\n"
                      "  edge [fontname=monospace];\n";
    int graph = 0;
    for (const Found& found : search.found) {
        out += fmt::format("  subgraph cluster_{} {{\n    label=\"{}, {}: {}\";\n", graph,
                           rules_of(search.era).name, rules_of(search.filesystem).name,
                           name_of(found.harm));
        out +=
            fmt::format("    r{}_0 [label=\"{}\"];\n", graph, dot_label(found.run.start, search));
        std::size_t number = 0;
        for (const Run::Taken& taken : found.run.steps) {
            ++number;
            out += fmt::format("    r{0}_{1} [label=\"{2}\"{3}];\n", graph, number,
                               dot_label(taken.after, search),
                               taken.harm != Harm::none ? ", color=red, penwidth=2" : "");
            out += fmt::format("    r{0}_{1} -> r{0}_{2} [label=\"{3}: {4}\"];\n", graph,
                               number - 1, number, name_of(taken.transition.who, search.bounds),
                               text_of(taken, search.bounds));
        }
        out += "  }\n";
        ++graph;
    }
    return out + "}\n";
}

std::string search_svg(const Search& search) {
    if (!search.found.empty()) {
        return Picture(search, search.found.front()).draw();
    }
    return fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 40\" "
                       "width=\"720\" height=\"40\" font-family=\"monospace\" font-size=\"12\">\n"
                       "<text x=\"10\" y=\"24\">{}, {}: {}</text>\n</svg>\n",
                       rules_of(search.era).name, rules_of(search.filesystem).name,
                       search.complete ? "no store can be lost within these bounds"
                                       : "no harm found, but the search is incomplete");
}

} // namespace vmmodel
