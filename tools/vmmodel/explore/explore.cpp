#include "tools/vmmodel/explore/explore.hpp"

#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

namespace vmmodel {

namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

/// Every state found so far, in the order of discovery, with how it was reached. Open addressing;
/// grows by doubling, within a budget of bytes. A slot's place follows from the upper bits of the
/// hash that it keeps, so that growing need not look at the states.
class StateTable {
  public:
    explicit StateTable(std::uint64_t memory)
        : memory_(memory), slots_(std::size_t{1} << kFirstBits) {}

    struct Origin {
        std::uint32_t parent = kNone;
        Transition transition;
    };

    [[nodiscard]] std::size_t size() const { return states_.size(); }
    [[nodiscard]] const State& state(std::size_t index) const { return states_[index]; }
    [[nodiscard]] const Origin& origin(std::size_t index) const { return origins_[index]; }

    static std::uint32_t hash(const State& state) {
        return static_cast<std::uint32_t>(XXH3_64bits(&state, sizeof(state)) >> 32U);
    }
    /// To be called for several states before any of them is put in: the memory that insert() will
    /// look at is fetched meanwhile, first the slots, then the states that they name.
    void prefetch_slot(std::uint32_t hash) const { __builtin_prefetch(&slots_[place_of(hash)]); }
    void prefetch_state(std::uint32_t hash) const {
        const Slot& slot = slots_[place_of(hash)];
        if (slot.index != kNone && slot.hash == hash) {
            __builtin_prefetch(&states_[slot.index]);
        }
    }

    /// Puts the state in, unless it is there. False: it is new, and there is no room.
    bool insert(const State& state, std::uint32_t hash, std::uint32_t parent,
                Transition transition) {
        for (std::size_t place = place_of(hash);; place = (place + 1) & (slots_.size() - 1)) {
            Slot& slot = slots_[place];
            if (slot.index == kNone) {
                if (!room_for_one()) {
                    return false;
                }
                slot = {hash, static_cast<std::uint32_t>(states_.size())};
                states_.push_back(state);
                origins_.push_back({parent, transition});
                grow_slots();
                return true;
            }
            if (slot.hash == hash && states_[slot.index] == state) {
                return true;
            }
        }
    }

  private:
    struct Slot {
        std::uint32_t hash = 0;
        std::uint32_t index = kNone;
    };
    static constexpr unsigned kFirstBits = 12;
    static constexpr std::size_t kFirstStates = 2048;

    [[nodiscard]] std::size_t place_of(std::uint32_t hash) const { return hash >> (32U - bits_); }

    /// Grows the vectors by hand, so that their copies count too.
    bool room_for_one() {
        if (states_.size() < states_.capacity()) {
            return true;
        }
        const std::size_t more = std::max(kFirstStates, states_.capacity() * 3 / 2);
        constexpr std::uint64_t kEach = sizeof(State) + sizeof(Origin);
        // While the states are copied, the old and the new memory both exist; the slots may double.
        const std::uint64_t peak =
            more * kEach + states_.capacity() * sizeof(State) +
            slots_.size() * sizeof(Slot) * (more * 5 / 3 > slots_.size() ? 3 : 1);
        if (peak > memory_ || more >= kNone) {
            return false;
        }
        states_.reserve(more);
        origins_.reserve(more);
        return true;
    }

    void grow_slots() {
        if (states_.size() * 5 < slots_.size() * 3 || bits_ == 32) {
            return;
        }
        std::vector<Slot> bigger(slots_.size() * 2);
        slots_.swap(bigger);
        ++bits_;
        for (const Slot& slot : bigger) {
            if (slot.index == kNone) {
                continue;
            }
            std::size_t place = place_of(slot.hash);
            while (slots_[place].index != kNone) {
                place = (place + 1) & (slots_.size() - 1);
            }
            slots_[place] = slot;
        }
    }

    std::uint64_t memory_;
    unsigned bits_ = kFirstBits;
    std::vector<Slot> slots_;
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

/// The run along `path`. The transitions of `path` name processes, pages and blocks as the
/// canonical states do; in the run the names stay the same throughout, so each step is looked up
/// again.
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
    path.reserve(run.steps.size());
    for (const Run::Taken& taken : run.steps) {
        path.push_back(taken.transition);
    }
    return events_of(path);
}

namespace {

/// One search. States are taken in small batches, so that the memory for one is fetched while
/// another is worked on; the order of discovery is that of a plain breadth-first search.
class Explorer {
  public:
    Explorer(const Machine& machine, const ExploreLimits& limits)
        : machine_(machine), limits_(limits), table_(limits.memory), batch_(kBatch) {}

    Exploration run() {
        const State initial = canonical(machine_.initial());
        bool room = table_.insert(initial, StateTable::hash(initial), kNone, {});
        for (std::uint32_t index = 0; room && index < table_.size() && !done();) {
            const auto end =
                static_cast<std::uint32_t>(std::min<std::size_t>(table_.size(), index + kBatch));
            expand(index, end);
            const std::size_t before = table_.size();
            room = insert_all(index, end);
            index = end;
            if (limits_.progress != nullptr) {
                limits_.progress->states.fetch_add(table_.size() - before,
                                                   std::memory_order_relaxed);
            }
        }
        result_.stopped_early = room && done();
        result_.states = table_.size();
        result_.complete = room && !result_.stopped_early;
        for (const auto& [way, count] : ways_) {
            result_.ways.push_back({way.first, way.second, count, false});
        }
        std::ranges::sort(result_.ways, [](const Way& a, const Way& b) {
            return std::pair{a.events.size(), std::tie(a.harm, a.events)} <
                   std::pair{b.events.size(), std::tie(b.harm, b.events)};
        });
        return std::move(result_);
    }

  private:
    static constexpr std::size_t kBatch = 8;

    /// What one state of the batch leads to, in canonical form.
    struct Expanded {
        Successors successors;
        std::array<std::uint32_t, 64> hashes{};
    };

    [[nodiscard]] State canonical(const State& state) const {
        return limits_.symmetry ? machine_.canonical(state) : state;
    }
    /// Every kind of harm has been found, and no more is asked for.
    [[nodiscard]] bool done() const { return harms_ == kHarms - 1 && !limits_.all; }

    void expand(std::uint32_t begin, std::uint32_t end) {
        for (std::uint32_t index = begin; index < end; ++index) {
            Expanded& one = batch_[index - begin];
            machine_.successors(table_.state(index), one.successors);
            result_.transitions += one.successors.count;
            for (std::size_t i = 0; i < one.successors.count; ++i) {
                State& state = one.successors.all[i].state;
                state = canonical(state);
                one.hashes[i] = StateTable::hash(state);
                table_.prefetch_slot(one.hashes[i]);
            }
        }
        for (std::uint32_t index = begin; index < end; ++index) {
            const Expanded& one = batch_[index - begin];
            for (std::size_t i = 0; i < one.successors.count; ++i) {
                table_.prefetch_state(one.hashes[i]);
            }
        }
    }

    /// False if there was no room for all.
    bool insert_all(std::uint32_t begin, std::uint32_t end) {
        for (std::uint32_t index = begin; index < end; ++index) {
            const Expanded& one = batch_[index - begin];
            for (std::size_t i = 0; i < one.successors.count; ++i) {
                const Successor& next = one.successors.all[i];
                if (next.harm != Harm::none) {
                    note_harm(index, next);
                }
                // Nothing can make a loss worse: the search does not go on from there.
                if (next.harm != Harm::lost &&
                    !table_.insert(next.state, one.hashes[i], index, next.transition)) {
                    return false;
                }
            }
        }
        return true;
    }

    void note_harm(std::uint32_t index, const Successor& next) {
        auto& shortest = result_.shortest[static_cast<std::size_t>(next.harm)];
        if (shortest && !limits_.all) {
            return;
        }
        const auto path = path_to(table_, index, next.transition);
        if (!shortest) {
            shortest = replay(machine_, path, next.harm, limits_.symmetry);
            ++harms_;
        }
        if (limits_.all) {
            ++ways_[{next.harm, events_of(path)}];
        }
    }

    const Machine& machine_;
    const ExploreLimits limits_;
    StateTable table_;
    std::vector<Expanded> batch_;
    std::map<std::pair<Harm, std::vector<Step>>, std::uint64_t> ways_;
    std::size_t harms_ = 0;
    Exploration result_;
};

} // namespace

Exploration explore(const Machine& machine, const ExploreLimits& limits) {
    return Explorer(machine, limits).run();
}

} // namespace vmmodel
