// A question put to the machine of an era and a filesystem: first without races, then with them.
#pragma once

#include "tools/vmmodel/explore/explore.hpp"

#include <string>

namespace vmmodel {

enum class Races : std::uint8_t {
    automatic, ///< first without; then with, for the kinds of harm that were not found
    never,
    always,
};

/// A kind of harm, how it comes about, and whether threads must interrupt each other for it.
struct Found {
    Harm harm = Harm::none;
    bool needs_race = false; ///< known only if the search without races was made, too
    Run run;
};

struct Search {
    Era era = Era::linux_2_6_19;
    Filesystem filesystem = Filesystem::ordered;
    Bounds bounds;
    std::vector<Found> found; ///< at most one of each kind, lost first
    std::vector<Way> ways;
    std::uint64_t states = 0;
    std::uint64_t transitions = 0;
    bool complete = false; ///< every state within the bounds was visited, or need not be
    double seconds = 0;

    [[nodiscard]] const Found* of(Harm harm) const;
};

Search search(Era era, Filesystem filesystem, Bounds bounds, Races races,
              const ExploreLimits& limits);

/// Every era by every filesystem that goes with it, in the order of kSettings. Uses all processors;
/// the limit on memory is for all of them together.
std::vector<Search> search_all(const Bounds& bounds, const ExploreLimits& limits);

/// Why the bounds are not valid, in a line for people; empty if they are valid.
std::string refusal_of(const Bounds& bounds);

/// What the table is made with: 3 stores, 1 write, 2 commits, 2 writepages, an fsync and an msync,
/// by one process, on one page of two blocks.
Bounds default_bounds();

} // namespace vmmodel
