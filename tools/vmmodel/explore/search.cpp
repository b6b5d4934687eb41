#include "tools/vmmodel/explore/search.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

namespace vmmodel {

namespace {

void add(Search& search, const Exploration& exploration, bool needs_race) {
    search.states += exploration.states;
    search.transitions += exploration.transitions;
    search.complete = search.complete && (exploration.complete || exploration.stopped_early);
    for (const Harm harm : {Harm::lost, Harm::fsync_not_durable, Harm::msync_not_durable}) {
        const auto& run = exploration.shortest[static_cast<std::size_t>(harm)];
        if (run && search.of(harm) == nullptr) {
            search.found.push_back({harm, needs_race, *run});
        }
    }
    const std::size_t known = search.ways.size();
    for (const Way& way : exploration.ways) {
        const bool is_known = std::any_of(
            search.ways.begin(), search.ways.begin() + static_cast<std::ptrdiff_t>(known),
            [&](const Way& one) { return one.harm == way.harm && one.events == way.events; });
        if (!is_known) {
            search.ways.push_back(way);
            search.ways.back().needs_race = needs_race;
        }
    }
}

/// The kinds of harm that the bounds leave possible.
std::size_t possible(const Bounds& bounds) {
    const auto events = [&](Event event) { return bounds.events[static_cast<std::size_t>(event)]; };
    return std::size_t{1} + (events(Event::fsync) > 0 ? 1U : 0U) +
           (events(Event::msync) > 0 ? 1U : 0U);
}

} // namespace

const Found* Search::of(Harm harm) const {
    for (const Found& one : found) {
        if (one.harm == harm) {
            return &one;
        }
    }
    return nullptr;
}

Search search(Era era, Filesystem filesystem, Bounds bounds, Races races,
              const ExploreLimits& limits) {
    const auto begin = std::chrono::steady_clock::now();
    Search result;
    result.era = era;
    result.filesystem = filesystem;
    result.bounds = bounds;
    result.complete = true;
    if (races != Races::always) {
        bounds.races = false;
        add(result, explore(Machine(era, filesystem, bounds), limits), false);
    }
    const bool open = result.found.size() < possible(bounds) || limits.all;
    if (races == Races::always || (races == Races::automatic && open)) {
        bounds.races = true;
        add(result, explore(Machine(era, filesystem, bounds), limits), races != Races::always);
    }
    std::ranges::sort(result.found, {}, &Found::harm);
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return result;
}

std::vector<Search> search_all(const Bounds& bounds, const ExploreLimits& limits) {
    constexpr std::size_t kRows = kSettings.size();
    std::vector<Search> rows(kRows);
    const std::size_t threads =
        std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kRows);
    ExploreLimits share = limits;
    share.memory /= threads;
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
        for (std::size_t row = next++; row < kRows; row = next++) {
            rows[row] = search(kSettings[row].era, kSettings[row].filesystem, bounds,
                               Races::automatic, share);
            if (limits.progress != nullptr) {
                ++limits.progress->searches;
            }
        }
    };
    {
        std::vector<std::jthread> others;
        for (std::size_t i = 1; i < threads; ++i) {
            others.emplace_back(work);
        }
        work();
    }
    return rows;
}

std::string refusal_of(const Bounds& bounds) {
    const auto between = [](int value, int least, int most, std::string_view what) -> std::string {
        if (value >= least && value <= most) {
            return {};
        }
        return "--" + std::string{what} + " must be from " + std::to_string(least) + " to " +
               std::to_string(most) + ", not " + std::to_string(value);
    };
    for (std::string why : {between(bounds.pages, 1, kMaxPages, "pages"),
                            between(bounds.blocks, 1, kMaxBlocks, "blocks"),
                            between(bounds.processes, 1, kMaxProcesses, "processes")}) {
        if (!why.empty()) {
            return why;
        }
    }
    const auto events = [&](Event event) -> int {
        return bounds.events[static_cast<std::size_t>(event)];
    };
    if (events(Event::store) + events(Event::write) + events(Event::truncate) > 15) {
        return "--stores, --writes and --truncates together must be at most 15";
    }
    if (events(Event::truncate) > 0 && bounds.blocks < 2) {
        return "--truncates needs at least two blocks to a page";
    }
    return {};
}

Bounds default_bounds() {
    Bounds bounds;
    const auto set = [&](Event event, std::uint8_t count) {
        bounds.events[static_cast<std::size_t>(event)] = count;
    };
    set(Event::store, 3);
    set(Event::write, 1);
    set(Event::commit, 2);
    set(Event::writepage, 2);
    set(Event::fsync, 1);
    set(Event::msync, 1);
    return bounds;
}

} // namespace vmmodel
