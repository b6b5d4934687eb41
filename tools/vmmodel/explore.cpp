#include "tools/vmmodel/explore.hpp"

#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <map>

namespace vmmodel {

namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

/// Every state found so far, in the order of discovery, with how it was reached. Open addressing;
/// grows by doubling, within a budget of bytes.
class StateTable {
  public:
    explicit StateTable(std::uint64_t memory) : memory_(memory), slots_(kFirstSlots, kNone) {}

    struct Origin {
        std::uint32_t parent = kNone;
        Transition transition;
    };

    [[nodiscard]] std::size_t size() const { return states_.size(); }
    [[nodiscard]] const State& state(std::size_t index) const { return states_[index]; }
    [[nodiscard]] const Origin& origin(std::size_t index) const { return origins_[index]; }

    static std::uint64_t hash(const State& state) { return XXH3_64bits(&state, sizeof(state)); }
    void prefetch(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & mask()]); }

    /// Puts the state in, unless it is there. False: it is new, and there is no room.
    bool insert(const State& state, std::uint64_t hash, std::uint32_t parent,
                Transition transition) {
        for (std::size_t slot = hash & mask();; slot = (slot + 1) & mask()) {
            const std::uint32_t found = slots_[slot];
            if (found == kNone) {
                if (!room_for_one()) {
                    return false;
                }
                slots_[slot] = static_cast<std::uint32_t>(states_.size());
                states_.push_back(state);
                origins_.push_back({parent, transition});
                grow_slots();
                return true;
            }
            if (states_[found] == state) {
                return true;
            }
        }
    }

  private:
    static constexpr std::size_t kFirstSlots = std::size_t{1} << 16U;

    [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }

    /// Grows the vectors by hand, so that their copies count too.
    bool room_for_one() {
        if (states_.size() < states_.capacity()) {
            return states_.size() < kNone;
        }
        const std::size_t more = std::max<std::size_t>(kFirstSlots, states_.capacity() * 3 / 2);
        constexpr std::uint64_t kEach = sizeof(State) + sizeof(Origin);
        // While the states move to their new place, both places are there.
        const std::uint64_t peak =
            more * kEach + states_.capacity() * sizeof(State) +
            slots_.size() * sizeof(std::uint32_t) * (more * 2 > slots_.size() ? 3 : 1);
        if (peak > memory_ || more >= kNone) {
            return false;
        }
        states_.reserve(more);
        origins_.reserve(more);
        return true;
    }

    void grow_slots() {
        if (states_.size() * 2 < slots_.size()) {
            return;
        }
        std::vector<std::uint32_t> bigger(slots_.size() * 2, kNone);
        slots_.swap(bigger);
        for (std::uint32_t index = 0; index < states_.size(); ++index) {
            std::size_t slot = hash(states_[index]) & mask();
            while (slots_[slot] != kNone) {
                slot = (slot + 1) & mask();
            }
            slots_[slot] = index;
        }
    }

    std::uint64_t memory_;
    std::vector<std::uint32_t> slots_;
    std::vector<State> states_;
    std::vector<Origin> origins_;
};

/// The steps from the initial state to the one at `index`, then `last`.
std::vector<Transition> path_to(const StateTable& table, std::uint32_t index, Transition last) {
    std::vector<Transition> path{last};
    for (; table.origin(index).parent != kNone; index = table.origin(index).parent) {
        path.push_back(table.origin(index).transition);
    }
    std::ranges::reverse(path);
    return path;
}

/// The run along `path`. Its transitions name processes, pages and blocks of canonical states; the
/// run is told with names that stay the same throughout, so each step is searched for anew.
Run replay(const Machine& machine, const std::vector<Transition>& path, Harm harm, bool symmetry) {
    const auto canonical_of = [&](const State& state) {
        return symmetry ? machine.canonical(state) : state;
    };
    Run run;
    run.start = machine.initial();
    State canonical = canonical_of(run.start);
    State current = run.start;
    Successors successors;
    Successors named;
    for (std::size_t i = 0; i < path.size(); ++i) {
        machine.successors(canonical, successors);
        const auto chosen = std::ranges::find_if(successors.span(), [&](const Successor& one) {
            return one.transition == path[i] && (i + 1 < path.size() || one.harm == harm);
        });
        const State target = canonical_of(chosen->state);
        machine.successors(current, named);
        const auto same = std::ranges::find_if(named.span(), [&](const Successor& one) {
            return one.transition.step == path[i].step && one.harm == chosen->harm &&
                   canonical_of(one.state) == target;
        });
        run.steps.push_back({same->transition, same->harm, same->state});
        current = same->state;
        canonical = target;
    }
    return run;
}

} // namespace

bool begins_event(Transition transition) {
    switch (transition.step) {
    case Step::store:
    case Step::write_copy:
    case Step::commit_start:
    case Step::fsync:
    case Step::msync:
    case Step::zap_pte:
    case Step::strip:
    case Step::truncate:
        return true;
    case Step::lock_page:
        return transition.who == Who::writeback; // else part of an fsync
    default:
        return false;
    }
}

std::vector<Step> events_of(const std::vector<Transition>& path) {
    std::vector<Step> events;
    for (const Transition& transition : path) {
        if (begins_event(transition)) {
            events.push_back(transition.step);
        }
    }
    return events;
}

std::vector<Step> events_of(const Run& run) {
    std::vector<Transition> path;
    for (const Run::Taken& taken : run.steps) {
        path.push_back(taken.transition);
    }
    return events_of(path);
}

Exploration explore(const Machine& machine, const ExploreLimits& limits) {
    Exploration result;
    StateTable table(limits.memory);
    const auto canonical = [&](const State& state) {
        return limits.symmetry ? machine.canonical(state) : state;
    };
    const State initial = canonical(machine.initial());
    table.insert(initial, StateTable::hash(initial), kNone, {});
    std::map<std::pair<Harm, std::vector<Step>>, std::uint64_t> ways;
    std::size_t harms = 0;
    bool room = true;
    Successors successors;
    std::array<std::uint64_t, 64> hashes{};
    std::uint32_t index = 0;
    for (; index < table.size() && room; ++index) {
        const State current = table.state(index);
        machine.successors(current, successors);
        result.transitions += successors.count;
        for (std::size_t i = 0; i < successors.count; ++i) {
            Successor& next = successors.all[i];
            next.state = canonical(next.state);
            hashes[i] = StateTable::hash(next.state);
            table.prefetch(hashes[i]);
        }
        for (std::size_t i = 0; i < successors.count; ++i) {
            const Successor& next = successors.all[i];
            if (next.harm != Harm::none) {
                auto& shortest = result.shortest[static_cast<std::size_t>(next.harm)];
                if (!shortest || limits.all) {
                    const auto path = path_to(table, index, next.transition);
                    if (!shortest) {
                        shortest = replay(machine, path, next.harm, limits.symmetry);
                        ++harms;
                    }
                    if (limits.all) {
                        ++ways[{next.harm, events_of(path)}];
                    }
                }
                if (next.harm == Harm::lost) {
                    continue; // nothing can make it worse
                }
            }
            if (!table.insert(next.state, hashes[i], index, next.transition)) {
                room = false;
                break;
            }
        }
        if (harms == kHarms - 1 && !limits.all) {
            result.stopped_early = true;
            break;
        }
    }
    result.states = table.size();
    result.complete = room && !result.stopped_early;
    for (const auto& [way, count] : ways) {
        result.ways.push_back({way.first, way.second, count, false});
    }
    std::ranges::stable_sort(result.ways, {}, [](const Way& way) { return way.events.size(); });
    return result;
}

} // namespace vmmodel
