// Breadth-first over every interleaving: the shortest run to each kind of harm, or the proof that
// there is none within the bounds.
#pragma once

#include "tools/vmmodel/machine/machine.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

namespace vmmodel {

/// How far searches have come; may be read from another thread at any time.
struct SearchProgress {
    std::atomic<std::uint64_t> states{0};   ///< found so far, by all searches
    std::atomic<std::uint64_t> searches{0}; ///< those that are finished
};

/// When to give up.
struct ExploreLimits {
    /// Bytes that the table of states may take.
    std::uint64_t memory = std::uint64_t{1} << 30U;
    /// Go on when every kind of harm has been found.
    bool all = false;
    /// Count states that differ only in the names of processes, pages and blocks as one state.
    bool symmetry = true;
    /// Updated while the search runs; may be null.
    SearchProgress* progress = nullptr;
};

/// A run: the state it starts from, and each step with the state it led to.
struct Run {
    struct Taken {
        Transition transition;
        Harm harm = Harm::none;
        State after;
    };
    State start;
    std::vector<Taken> steps;
};

/// A way to do harm: the events of its run, in order, and how many runs had these events.
struct Way {
    Harm harm = Harm::none;
    std::vector<Step> events;
    std::uint64_t count = 0;
    bool needs_race = false; ///< set by search(): it was not met without races
};

struct Exploration {
    /// The shortest run to each kind of harm, by Harm; nothing where none was found.
    std::array<std::optional<Run>, kHarms> shortest;
    /// With ExploreLimits::all, every way there is, the shorter ones first.
    std::vector<Way> ways;
    std::uint64_t states = 0;      ///< distinct states found, up to symmetry
    std::uint64_t transitions = 0; ///< steps tried
    /// Every state within the bounds was looked at. Without it, no harm found means nothing.
    bool complete = false;
    /// The search ended because every kind of harm had been found: the rest was not needed.
    bool stopped_early = false;
};

/// Explores `machine` from its initial state. Runs in the calling thread.
Exploration explore(const Machine& machine, const ExploreLimits& limits);

/// Whether the step begins an event (a store is one step); other steps belong to an event that has
/// begun before.
bool begins_event(Transition transition);

/// The events of a run in order.
std::vector<Step> events_of(const std::vector<Transition>& path);
std::vector<Step> events_of(const Run& run);

} // namespace vmmodel
