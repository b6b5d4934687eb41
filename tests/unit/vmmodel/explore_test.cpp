// The search itself: symmetry, memory, and that a step missing from the machine is noticed.
#include "tools/vmmodel/explore/search.hpp"
#include "tools/vmmodel/show/describe.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace vmmodel {
namespace {

Bounds small() {
    Bounds bounds;
    bounds.events = {2, 1, 1, 1, 1, 1, 0, 0, 0};
    return bounds;
}

std::vector<std::size_t> lengths(const Exploration& exploration) {
    std::vector<std::size_t> all;
    for (const auto& run : exploration.shortest) {
        all.push_back(run ? run->steps.size() : 0);
    }
    return all;
}

TEST(Explore, SymmetryChangesNothingButTheNumberOfStates) {
    for (const auto& [pages, blocks, processes] :
         {std::tuple{1, 2, 1}, std::tuple{1, 3, 1}, std::tuple{2, 1, 1}, std::tuple{1, 1, 2}}) {
        Bounds bounds;
        bounds.events = {2, 0, 1, 1, 1, 0, 0, 0, 0};
        bounds.pages = pages;
        bounds.blocks = blocks;
        bounds.processes = processes;
        for (const Era era : {Era::linux_2_6_19, Era::linux_2_6_23}) {
            const Machine machine(era, Filesystem::ordered_eager, bounds);
            const Exploration reduced = explore(machine, {});
            const Exploration plain = explore(machine, {.symmetry = false});
            EXPECT_TRUE(plain.complete);
            EXPECT_TRUE(reduced.complete);
            EXPECT_EQ(lengths(reduced), lengths(plain));
            EXPECT_LT(reduced.states, plain.states);
        }
    }
}

TEST(Explore, CanonicalStatesAreTheirOwnCanonicalStates) {
    Bounds bounds = small();
    bounds.pages = 2;
    bounds.processes = 2;
    const Machine machine(Era::linux_2_6_20, Filesystem::ordered, bounds);
    State state = machine.initial();
    Successors successors;
    std::uint32_t random = 1;
    for (int i = 0; i < 20000; ++i) {
        machine.successors(state, successors);
        ASSERT_LT(successors.count, successors.all.size());
        if (successors.count == 0) {
            state = machine.initial();
            continue;
        }
        random = random * 1664525U + 1013904223U;
        state = successors.all[(random >> 8U) % successors.count].state;
        const State canonical = machine.canonical(state);
        ASSERT_TRUE(machine.canonical(canonical) == canonical);
    }
}

TEST(Explore, WithoutRoomTheSearchSaysThatItIsIncomplete) {
    const Machine machine(Era::linux_2_6_23, Filesystem::ordered, default_bounds());
    const Exploration exploration = explore(machine, {.memory = std::uint64_t{8} << 20U});
    EXPECT_FALSE(exploration.complete);
    EXPECT_FALSE(exploration.stopped_early);
    EXPECT_GT(exploration.states, 0U);
    const Search found = search(Era::linux_2_6_23, Filesystem::ordered, default_bounds(),
                                Races::always, {.memory = std::uint64_t{8} << 20U});
    EXPECT_FALSE(found.complete);
}

TEST(Explore, AllListsEveryWay) {
    Bounds bounds = small();
    bounds.races = false;
    const Machine machine(Era::linux_2_6_19, Filesystem::ordered_eager, bounds);
    const Exploration exploration = explore(machine, {.all = true});
    EXPECT_TRUE(exploration.complete);
    ASSERT_FALSE(exploration.ways.empty());
    const bool four = std::ranges::any_of(exploration.ways, [](const Way& way) {
        return way.harm == Harm::lost && list_of(way.events) == "store, commit, store, writepage";
    });
    EXPECT_TRUE(four);
}

TEST(Explore, ARunLeadsFromStepToStep) {
    const Search found =
        search(Era::linux_2_6_19, Filesystem::ordered, default_bounds(), Races::automatic, {});
    Bounds calm = default_bounds();
    for (const Found& one : found.found) {
        calm.races = one.needs_race;
        const Machine machine(Era::linux_2_6_19, Filesystem::ordered, calm);
        State state = machine.initial();
        EXPECT_TRUE(one.run.start == state);
        for (const Run::Taken& taken : one.run.steps) {
            Successors successors;
            machine.successors(state, successors);
            const bool possible =
                std::ranges::any_of(successors.span(), [&](const Successor& next) {
                    return next.transition == taken.transition && next.state == taken.after;
                });
            ASSERT_TRUE(possible) << text_of(taken.transition.step).function;
            state = taken.after;
        }
        EXPECT_EQ(one.run.steps.back().harm, one.harm);
    }
}

/// The results that the history tests check, for every setting, as one text.
std::string profile(Machine::Forgotten forgotten) {
    std::vector<Bounds> all(3, small());
    all[1].events = {2, 0, 1, 1, 1, 0, 1, 0, 0};
    all[1].processes = 2;
    all[1].blocks = 1;
    all[2].events = {2, 0, 0, 1, 0, 0, 0, 0, 1};
    std::string text;
    for (const Bounds& bounds : all) {
        for (const auto& [era, filesystem] : kSettings) {
            const Exploration found = explore(Machine(era, filesystem, bounds, forgotten), {});
            for (std::size_t harm = 1; harm < kHarms; ++harm) {
                const auto& run = found.shortest[harm];
                text += run ? std::to_string(run->steps.size()) : "-";
                text += ' ';
            }
        }
    }
    return text;
}

class ForgottenStep : public ::testing::TestWithParam<Step> {};

// The verdicts alone, without the number of states, show that the step's effect is missing.
TEST_P(ForgottenStep, IsNoticed) {
    static const std::string kWhole = profile(0);
    EXPECT_NE(profile(Machine::forget(GetParam())), kWhole)
        << "nobody notices that the machine forgets " << text_of(GetParam()).function;
}

INSTANTIATE_TEST_SUITE_P(Machine, ForgottenStep,
                         ::testing::Values(Step::do_no_page, Step::do_wp_page,
                                           Step::wait_on_page_locked, Step::dirty_buffers,
                                           Step::dirty_flag, Step::write_commit, Step::zap_pte,
                                           Step::truncate, Step::msync_pte,
                                           Step::test_clear_page_dirty, Step::page_mkclean_one,
                                           Step::writepage, Step::submit_data_buffer,
                                           Step::try_to_unmap));

} // namespace
} // namespace vmmodel
