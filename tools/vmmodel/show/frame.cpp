#include "tools/vmmodel/show/frame.hpp"

#include "fusefs/base/try.hpp"
#include "tools/vmmodel/predict/kernel_predictor.hpp"
#include "tools/vmmodel/predict/predict.hpp"
#include "tools/vmmodel/show/describe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace vmmodel {

namespace {

using partialfs::model::BlockInPage;
using partialfs::model::BlockSize;
using partialfs::model::PageIndex;

std::string block_state(bool dirty, bool ordered, bool committing, bool io) {
    if (committing) {
        return "committing";
    }
    if (io) {
        return "to disk";
    }
    if (dirty) {
        return ordered ? "dirty, ord" : "dirty";
    }
    return ordered ? "ordered" : "clean";
}

void append_word(std::string& text, std::string_view word, bool wanted) {
    if (wanted) {
        text += (text.empty() ? "" : " ") + std::string{word};
    }
}

PageFrame page_of_state(const State& state, int page, const Bounds& bounds) {
    const PageCell& cell = state.pages[static_cast<std::size_t>(page)];
    PageFrame frame;
    if (bounds.pages > 1) {
        frame.name = fmt::format("page {}", page);
    }
    for (int process = 0; process < bounds.processes; ++process) {
        const std::string whose = bounds.processes > 1 ? fmt::format(" {}", process) : "";
        append_word(frame.ptes, fmt::format("PTE{} {}", whose, pte_text(cell, process)), true);
    }
    append_word(frame.flags, "PG_dirty", cell.fs.page_dirty);
    append_word(frame.flags, "PG_writeback", cell.writeback != 0);
    append_word(frame.flags, "locked", page_locked(state, page));
    for (int block = 0; block < bounds.blocks; ++block) {
        const BlockInPage b{static_cast<std::uint8_t>(block)};
        BlockFrame one;
        one.memory = cell.cached != 0 ? std::string(1, letter_of(cell.memory(block))) : "";
        one.state = block_state(cell.fs.dirty.contains(b), cell.fs.ordered.contains(b),
                                cell.committing.contains(b), cell.io.contains(b));
        one.disk = std::string(1, letter_of(cell.disk(block)));
        one.stale = cell.cached != 0 && cell.memory(block) != cell.disk(block);
        frame.blocks.push_back(std::move(one));
    }
    return frame;
}

std::string op_text(OpNumber op) {
    return op.value == 0 ? "." : fmt::format("#{}", op.value);
}

PageFrame page_of_view(const KernelPredictor::PageView& view, BlockSize block_size,
                       bool tracks_shared_dirty) {
    PageFrame frame;
    for (std::uint8_t map = 0; map < kMaxMappings; ++map) {
        const std::uint64_t bit = std::uint64_t{1} << map;
        if (((view.present | view.dirty) & bit) != 0) {
            const bool dirty = (view.dirty & bit) != 0;
            const bool writable = dirty || !tracks_shared_dirty;
            append_word(frame.ptes,
                        fmt::format("map {}: {}{}", map, writable ? "rw" : "r", dirty ? "d" : ""),
                        true);
        }
    }
    if (frame.ptes.empty()) {
        frame.ptes = "no PTE";
    }
    append_word(frame.flags, "PG_dirty", view.state.page_dirty);
    for (std::uint8_t i = 0; i < block_size.per_page(); ++i) {
        const BlockInPage block{i};
        frame.blocks.push_back({op_text(view.memory_op[i]),
                                block_state(view.state.dirty.contains(block),
                                            view.state.ordered.contains(block), false, false),
                                op_text(view.disk_op[i]), view.stale.contains(block)});
    }
    return frame;
}

bool same_picture(const PageFrame& a, const PageFrame& b) {
    return a.ptes == b.ptes && a.flags == b.flags &&
           std::ranges::equal(a.blocks, b.blocks, [](const BlockFrame& x, const BlockFrame& y) {
               return x.memory == y.memory && x.state == y.state && x.disk == y.disk &&
                      x.stale == y.stale;
           });
}

std::string op_sentence(const mmapstress::Op& op) {
    std::string line;
    print_op(line, op);
    const std::size_t name = line.find(' ') + 1; // after the id, which the frame shows elsewhere
    return line.substr(name, line.find_last_not_of('\n') + 1 - name);
}

/// What an operation did to the page, where that is worth saying.
std::string meaning_of(const KernelPredictor::PageView& before,
                       const KernelPredictor::PageView& after, bool stores) {
    const auto newly_stale = after.stale - before.stale;
    if (stores && after.state.page_dirty && !(newly_stale - after.state.dirty).empty()) {
        return after.state.has_block_bits
                   ? "the page is marked dirty, the block is not"
                   : "no fault: the filesystem is not told, and calls the block clean";
    }
    if (before.state.page_dirty && !after.state.page_dirty && !after.stale.empty()) {
        return "written back without the blocks called clean: what they hold is lost";
    }
    if (before.state.page_dirty && !after.state.page_dirty) {
        return "written back";
    }
    if (!(before.state.dirty - after.state.dirty).empty() && after.state.page_dirty) {
        return "the commit wrote blocks and calls them clean; PG_dirty and the PTEs stay";
    }
    return "";
}

} // namespace

Film film_of(const Found& found, const Search& search) {
    Film film;
    film.title = fmt::format("{}, {}", rules_of(search.era).name, rules_of(search.filesystem).name);
    film.subtitle =
        fmt::format("{}: {}{}", sentence_of(found.harm), found.needs_race ? "in a race, " : "",
                    list_of(events_of(found.run)));
    const auto pages = [&](const State& state) {
        std::vector<PageFrame> all;
        all.reserve(static_cast<std::size_t>(search.bounds.pages));
        for (int page = 0; page < search.bounds.pages; ++page) {
            all.push_back(page_of_state(state, page, search.bounds));
        }
        return all;
    };
    film.frames.push_back({"", "nothing has happened yet", "", pages(found.run.start), false});
    const State* before = &found.run.start;
    for (const Run::Taken& taken : found.run.steps) {
        film.frames.push_back({name_of(taken.transition.who, search.bounds),
                               text_of(taken, search.bounds),
                               std::string{meaning_of(taken, *before, rules_of(search.era))},
                               pages(taken.after), taken.harm != Harm::none});
        before = &taken.after;
    }
    return film;
}

std::expected<std::vector<Spot>, std::string>
spots_of(const LoadedSchedule& loaded, Era era, Filesystem filesystem, BlockSize block_size) {
    KernelPredictor predictor(era, filesystem, block_size);
    const auto prediction = TRY(predict(loaded.schedule, predictor));
    std::vector<Spot> spots;
    for (const Damage& damage : prediction.damage) {
        for (PageIndex page = damage.range.first_page(); page <= damage.range.last_page(); ++page) {
            if (std::ranges::find(spots, Spot{damage.file, page}) == spots.end()) {
                spots.push_back({damage.file, page});
            }
        }
    }
    std::set<Spot> touched;
    for (const mmapstress::Op& op : loaded.schedule.ops) {
        const auto& traits = traits_of(op.kind);
        if (traits.has_file && traits.has_offset && !op.range().empty()) {
            for (PageIndex page = op.range().first_page(); page <= op.range().last_page(); ++page) {
                touched.insert({FileNumber{op.file.value}, page});
            }
        }
    }
    for (const Spot& spot : touched) {
        if (std::ranges::find(spots, spot) == spots.end()) {
            spots.push_back(spot);
        }
    }
    if (spots.empty()) {
        return std::unexpected("the schedule touches no page");
    }
    return spots;
}

std::expected<Film, std::string> film_of(const LoadedSchedule& loaded, Spot spot, Era era,
                                         Filesystem filesystem, BlockSize block_size) {
    KernelPredictor predictor(era, filesystem, block_size);
    ScheduleRunner runner(loaded.schedule, predictor);
    if (auto why = runner.refusal()) {
        return std::unexpected(*why);
    }
    Film film;
    film.title =
        fmt::format("{}: {}, {}", loaded.name, rules_of(era).name, rules_of(filesystem).name);
    film.subtitle = fmt::format("file {}, page {}", spot.file.value, spot.page.value);
    const bool tracks = rules_of(era).tracks_shared_dirty;
    const auto view = [&] { return predictor.view(spot.file, spot.page); };
    runner.start();
    KernelPredictor::PageView before = view();
    film.frames.push_back(
        {"", "the file as it starts", "", {page_of_view(before, block_size, tracks)}, false});
    const auto show = [&](std::string who, std::string what, bool stores) {
        const KernelPredictor::PageView after = view();
        PageFrame page = page_of_view(after, block_size, tracks);
        if (!same_picture(page, film.frames.back().pages.front())) {
            const bool lost =
                before.state.page_dirty && !after.state.page_dirty && !after.stale.empty();
            film.frames.push_back({std::move(who),
                                   std::move(what),
                                   meaning_of(before, after, stores),
                                   {std::move(page)},
                                   lost});
        }
        before = after;
    };
    for (const mmapstress::Op& op : loaded.schedule.ops) {
        runner.apply(op);
        const bool stores = op.kind == mmapstress::OpKind::store;
        show(fmt::format("#{}", op.id.value), op_sentence(op), stores);
    }
    runner.end();
    show("end", fmt::format("{} of every file", name_of(loaded.schedule.header.end)), false);
    const bool differs = !before.stale.empty();
    runner.evict();
    show("end", "everything leaves the page cache", false);
    if (differs) {
        film.frames.back().harm = true;
        film.frames.back().meaning = "memory and disk differed: gone for good";
    }
    return film;
}

std::string film_text(const Film& film) {
    std::string out = film.title + '\n' + film.subtitle + "\n\n";
    for (const Frame& frame : film.frames) {
        out += fmt::format("{:<10} {}{}{}\n", frame.who, frame.what,
                           frame.meaning.empty() ? "" : ": ", frame.meaning);
        for (const PageFrame& page : frame.pages) {
            out += fmt::format("           {}{}{}{}{}", page.name, page.name.empty() ? "" : ", ",
                               page.ptes, page.flags.empty() ? "" : ", ", page.flags);
            for (const BlockFrame& block : page.blocks) {
                out += fmt::format(" [{} {} disk {}{}]", block.memory.empty() ? "-" : block.memory,
                                   block.state, block.disk, block.stale ? " !" : "");
            }
            out += '\n';
        }
    }
    return out;
}

} // namespace vmmodel
