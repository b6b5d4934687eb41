#include "fusefs/power/survival.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace partialfs::power {
namespace {

using model::ByteOffset;
using model::ByteRange;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr FileNumber kFile{0};

ByteRange bytes(std::uint64_t begin, std::uint64_t end) {
    return {ByteOffset{begin}, ByteOffset{end}};
}
Change data(std::uint64_t begin, std::uint64_t end, FileNumber file = kFile) {
    return {.file = file, .bytes = bytes(begin, end)};
}
Change resize(std::uint64_t before, std::uint64_t after) {
    return {.file = kFile,
            .bytes = after < before ? bytes(after, before) : ByteRange{},
            .resizes = true,
            .size_before = ByteOffset{before},
            .size_after = ByteOffset{after}};
}
Tear tear(Tear::Kind kind, std::uint64_t seed = 0, bool keep_order = false) {
    return {.kind = kind, .sector = 512, .keep_order = keep_order, .seed = seed};
}

TEST(Survival, AllAndNoneAreTheEnds) {
    const std::vector<Change> changes{data(0, 1024), resize(1024, 4096), data(512, 600)};
    const Aftermath all = aftermath_of(changes, tear(Tear::Kind::all));
    EXPECT_THAT(all.reversals, IsEmpty());
    EXPECT_THAT(all.sizes, IsEmpty());
    EXPECT_EQ(all.sectors_kept, 3U);

    const Aftermath none = aftermath_of(changes, tear(Tear::Kind::none));
    EXPECT_THAT(none.reversals,
                ElementsAre(Reversal{2, bytes(512, 600)}, Reversal{0, bytes(0, 1024)}));
    EXPECT_THAT(none.sizes, ElementsAre(std::pair{kFile, ByteOffset{1024}}));
    EXPECT_EQ(none.sectors_lost, 3U);
    EXPECT_EQ(none.sectors_kept, 0U);
}

TEST(Survival, ASizeThatSurvivesHasItsDataWithIt) {
    bool grown = false;
    bool not_grown = false;
    for (std::uint64_t seed = 0; seed < 64; ++seed) {
        const Aftermath after = aftermath_of(std::vector{data(0, 65536), resize(4096, 65536)},
                                             tear(Tear::Kind::sectors, seed));
        if (after.sizes.empty()) {
            EXPECT_THAT(after.reversals, IsEmpty()) << seed;
            grown = true;
        } else {
            EXPECT_FALSE(after.reversals.empty()) << seed;
            not_grown = true;
        }
    }
    EXPECT_TRUE(grown && not_grown);
}

TEST(Survival, WhatWasWrittenBehindALostTruncationIsNotSeen) {
    // 8192 bytes were truncated to 1024, and extended again to 2048.
    const std::vector<Change> changes{resize(8192, 1024), data(1024, 2048), resize(1024, 2048)};
    for (std::uint64_t seed = 0; seed < 64; ++seed) {
        const Aftermath after = aftermath_of(changes, tear(Tear::Kind::sectors, seed));
        const auto size = after.sizes.find(kFile);
        if (size != after.sizes.end() && size->second == ByteOffset{8192}) {
            EXPECT_THAT(after.reversals,
                        ElementsAre(Reversal{1, bytes(1024, 2048)}, Reversal{0, bytes(1024, 8192)}))
                << seed;
        }
    }
}

TEST(Survival, ALaterWriteThatSurvivesKeepsItsWholeSector) {
    for (std::uint64_t seed = 0; seed < 64; ++seed) {
        const Aftermath after = aftermath_of(std::vector{data(0, 100), data(200, 300)},
                                             tear(Tear::Kind::sectors, seed));
        const bool late_lost = !after.reversals.empty() && after.reversals.front().change == 1;
        const bool early_lost = !after.reversals.empty() && after.reversals.back().change == 0;
        EXPECT_FALSE(early_lost && !late_lost) << seed;
    }
}

TEST(Survival, EachWriteOfASectorHasAFateOfItsOwn) {
    std::set<std::uint64_t> kept;
    for (std::uint64_t seed = 0; seed < 64; ++seed) {
        kept.insert(
            aftermath_of(std::vector{data(0, 512), data(0, 512)}, tear(Tear::Kind::sectors, seed))
                .sectors_kept);
    }
    EXPECT_EQ(kept, (std::set<std::uint64_t>{0, 1, 2})) << "1: the later one alone is lost";
}

TEST(Survival, TheSeedDecides) {
    std::set<std::vector<ByteRange>> results;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        const auto what = [&] {
            std::vector<ByteRange> lost;
            for (const Reversal& reversal :
                 aftermath_of(std::vector{data(0, 4096)}, tear(Tear::Kind::sectors, seed))
                     .reversals) {
                lost.push_back(reversal.bytes);
            }
            return lost;
        };
        EXPECT_EQ(what(), what());
        results.insert(what());
    }
    EXPECT_GT(results.size(), 50U) << "of 256 that are possible";
}

TEST(Survival, KeepOrderKeepsAPrefix) {
    constexpr FileNumber kOther{1};
    std::set<std::uint64_t> kept;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const Aftermath after =
            aftermath_of(std::vector{data(0, 1024), data(0, 1024, kOther), data(2048, 3072)},
                         tear(Tear::Kind::sectors, seed, /*keep_order=*/true));
        kept.insert(after.sectors_kept);
        std::uint64_t lost = 0;
        for (const Reversal& reversal : after.reversals) {
            lost += reversal.bytes.size().value / 512;
            // A change loses its end, and all later changes are lost.
            EXPECT_EQ(reversal.bytes.end.value % 1024, 0U) << seed;
        }
        EXPECT_EQ(lost, after.sectors_lost);
        EXPECT_EQ(lost + after.sectors_kept, 6U);
        for (const Reversal& reversal : after.reversals) {
            for (std::size_t later = reversal.change + 1; later < 3; ++later) {
                EXPECT_THAT(after.reversals,
                            ::testing::Contains(::testing::Field(&Reversal::change, later)))
                    << seed;
            }
        }
    }
    EXPECT_EQ(kept.size(), 7U) << "each number of sectors from none to all";
}

} // namespace
} // namespace partialfs::power
