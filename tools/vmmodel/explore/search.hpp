// A question put to the machine of an era and a filesystem: first without races, then with them.
#pragma once

#include "tools/vmmodel/explore/explore.hpp"

#include <string>

namespace vmmodel {

enum class Races : std::uint8_t {
    automatic, ///< without; then with, for what did not come out
    never,
    always,
};

/// A kind of harm, how it comes about, and whether threads must interrupt each other for it.
struct Found {
    Harm harm = Harm::none;
    bool needs_race = false; ///< only known where it was looked for without races as well
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
    bool complete = false; ///< nothing within the bounds was left out, or need be looked at
    double seconds = 0;

    [[nodiscard]] const Found* of(Harm harm) const;
};

Search search(Era era, Filesystem filesystem, Bounds bounds, Races races,
              const ExploreLimits& limits);

/// Every era by every filesystem that goes with it, in the order of kSettings. Uses all processors;
/// the limit on memory is for all of them together.
std::vector<Search> search_all(const Bounds& bounds, const ExploreLimits& limits);

/// Why the bounds are no good, in a line for people; empty if they are.
std::string refusal_of(const Bounds& bounds);

/// Stores 3, writes 1, commits 2, writepages 2, an fsync and an msync, on one page of two blocks,
/// by one process: what the table is made with.
Bounds default_bounds();

} // namespace vmmodel
