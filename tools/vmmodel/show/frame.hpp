// One picture of a run: what has just been done, and what the pages look like afterwards. The
// player shows frames; where there is no terminal, they are printed.
#pragma once

#include "tools/vmmodel/explore/search.hpp"
#include "tools/vmmodel/predict/predictor.hpp"
#include "tools/vmmodel/predict/schedule_file.hpp"

#include <expected>
#include <string>
#include <vector>

namespace vmmodel {

struct BlockFrame {
    std::string memory; ///< which version or operation; empty if the page is not cached
    std::string state;  ///< "dirty", "ordered", ...
    std::string disk;
    bool stale = false; ///< memory and disk differ
};

struct PageFrame {
    std::string name;  ///< "page 0"; empty if there is only one
    std::string ptes;  ///< "PTE rwd", one for each mapping
    std::string flags; ///< "PG_dirty PG_writeback locked"
    std::vector<BlockFrame> blocks;
};

struct Frame {
    std::string who;
    std::string what;
    std::string meaning;
    std::vector<PageFrame> pages;
    bool harm = false; ///< this step harms a store, or shows that one is harmed
};

/// Everything that is played.
struct Film {
    std::string title;
    std::string subtitle;
    std::vector<Frame> frames; ///< the first is the start, before anything has happened
};

Film film_of(const Found& found, const Search& search);

/// A page of a file of a schedule.
struct Spot {
    FileNumber file;
    partialfs::model::PageIndex page;

    auto operator<=>(const Spot&) const = default;
};

/// The pages that a schedule touches, with those that end up damaged first. An error says why the
/// schedule cannot be run.
std::expected<std::vector<Spot>, std::string> spots_of(const LoadedSchedule& loaded, Era era,
                                                       Filesystem filesystem,
                                                       partialfs::model::BlockSize block_size);

/// The schedule as that page sees it: only operations that change the page have a frame.
std::expected<Film, std::string> film_of(const LoadedSchedule& loaded, Spot spot, Era era,
                                         Filesystem filesystem,
                                         partialfs::model::BlockSize block_size);

/// The frames as lines of text, one a frame.
std::string film_text(const Film& film);

} // namespace vmmodel
