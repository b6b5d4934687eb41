// The moods of `wild`: which operations a schedule has often, and which not at all.
#include "tools/mmapstress/workloads/mood.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace mmapstress {
namespace {

using Counts = std::map<OpKind, unsigned>;

constexpr unsigned kDraws = 2000;

Counts drawn(std::uint64_t seed) {
    Dice dice(seed);
    const Mood mood(dice);
    Counts counts;
    for (unsigned i = 0; i != kDraws; ++i) {
        ++counts[mood.choose(dice).kind];
    }
    return counts;
}

TEST(Mood, EveryMoodStoresAndLeavesMuchOut) {
    std::map<OpKind, unsigned> moods_with;
    unsigned with_few_kinds = 0;
    constexpr unsigned kMoods = 200;
    for (unsigned seed = 0; seed != kMoods; ++seed) {
        const Counts counts = drawn(seed);
        EXPECT_TRUE(counts.contains(OpKind::store)) << "seed " << seed;
        with_few_kinds += counts.size() <= 6 ? 1U : 0U;
        for (const auto& [kind, count] : counts) {
            ++moods_with[kind];
        }
    }
    EXPECT_GT(with_few_kinds, kMoods / 3);
    EXPECT_LT(with_few_kinds, kMoods * 2 / 3);
    EXPECT_EQ(moods_with.at(OpKind::store), kMoods);
    moods_with.erase(OpKind::store);
    moods_with.erase(OpKind::write); // it has several shapes
    for (const auto& [kind, moods] : moods_with) {
        EXPECT_GT(moods, kMoods / 10) << static_cast<int>(kind);
        EXPECT_LT(moods, kMoods / 2) << static_cast<int>(kind);
    }
}

TEST(Mood, TwoThatMustMeetAreBothFrequentInSomeSchedule) {
    // Kernel stores and growth, for example, are 1 of 40 operations each without a mood.
    const auto is_frequent = [](const Counts& counts, OpKind kind) {
        const auto found = counts.find(kind);
        return found != counts.end() && found->second > kDraws / 20;
    };
    unsigned moods = 0;
    for (unsigned seed = 0; seed != 200; ++seed) {
        const Counts counts = drawn(seed);
        moods +=
            is_frequent(counts, OpKind::direct_read_store) && is_frequent(counts, OpKind::truncate)
                ? 1U
                : 0U;
    }
    EXPECT_GE(moods, 8U);
}

} // namespace
} // namespace mmapstress
