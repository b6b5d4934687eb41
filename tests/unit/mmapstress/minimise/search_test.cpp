#include "tools/mmapstress/minimise/search.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

namespace mmapstress {
namespace {

using partialfs::model::ByteOffset;
using partialfs::model::ByteRange;

std::vector<std::size_t> first_numbers(std::size_t count) {
    std::vector<std::size_t> all(count);
    std::iota(all.begin(), all.end(), std::size_t{0});
    return all;
}

TEST(MinimiseItems, FindsTheNeededOnesInFewQuestions) {
    std::mt19937_64 random{11};
    for (int round = 0; round < 50; ++round) {
        std::set<std::size_t> needed;
        while (needed.size() < 5) {
            needed.insert(random() % 2000);
        }
        std::size_t questions = 0;
        const auto smallest =
            minimise_items(first_numbers(2000), [&](std::span<const std::size_t> kept) {
                ++questions;
                EXPECT_TRUE(std::ranges::is_sorted(kept));
                return std::ranges::includes(kept, needed);
            });
        EXPECT_THAT(smallest, ::testing::ElementsAreArray(needed));
        EXPECT_LT(questions, 200U);
    }
}

// Fails if a 3 comes before a 7, at any place: the result must be minimal whatever the order of the
// tries.
TEST(MinimiseItems, ResultIsOneMinimalWhereSeveralAreTrue) {
    const auto fails = [](std::span<const std::size_t> kept) {
        const auto three = std::ranges::find(kept, 3U, [](std::size_t i) { return i % 10; });
        return std::find_if(three, kept.end(), [](std::size_t i) { return i % 10 == 7; }) !=
               kept.end();
    };
    const auto smallest = minimise_items(first_numbers(500), fails);
    EXPECT_EQ(smallest.size(), 2U);
    EXPECT_TRUE(fails(smallest));
}

// An item that can go only after another has gone: one pass is not enough.
TEST(MinimiseItems, RepeatsUntilNothingMoreCanGo) {
    const auto fails = [](std::span<const std::size_t> kept) {
        const auto has = [&](std::size_t i) { return std::ranges::find(kept, i) != kept.end(); };
        return has(0) && (has(1) || !has(2)); // 1 is needed while 2 is there
    };
    EXPECT_THAT(minimise_items({0, 1, 2}, fails), ::testing::ElementsAre(0));
}

TEST(MinimiseItems, NothingNeededLeavesNothing) {
    EXPECT_TRUE(minimise_items(first_numbers(9), [](auto) { return true; }).empty());
    EXPECT_EQ(minimise_items(first_numbers(9), [](auto) { return false; }).size(), 9U);
}

TEST(MinimiseRange, CutsBothEnds) {
    const ByteRange needed{ByteOffset{5003}, ByteOffset{5010}};
    std::size_t questions = 0;
    const ByteRange smallest =
        minimise_range({ByteOffset{4096}, ByteOffset{12288}}, [&](ByteRange range) {
            ++questions;
            return range.begin <= needed.begin && needed.end <= range.end;
        });
    EXPECT_EQ(smallest, needed);
    EXPECT_LT(questions, 80U);
    EXPECT_EQ(minimise_range(needed, [](ByteRange) { return true; }).size().value, 1U);
    EXPECT_EQ(minimise_range(needed, [](ByteRange) { return false; }), needed);
}

} // namespace
} // namespace mmapstress
