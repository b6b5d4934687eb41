#include "tools/mmapstress/verify/version_map.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <tuple>
#include <vector>

namespace mmapstress {
namespace {

ByteRange range(std::uint64_t begin, std::uint64_t end) {
    return {ByteOffset{begin}, ByteOffset{end}};
}

using Piece = std::tuple<std::uint64_t, std::uint64_t, std::uint32_t>;

/// The pieces of a range; adjacent ones of the same version are joined.
std::vector<Piece> pieces(const VersionMap& map, ByteRange of) {
    std::vector<Piece> all;
    map.visit(of, [&](ByteRange part, Version version) {
        EXPECT_FALSE(part.empty());
        if (!all.empty() && std::get<2>(all.back()) == version.value &&
            std::get<1>(all.back()) == part.begin.value) {
            std::get<1>(all.back()) = part.end.value;
        } else {
            all.emplace_back(part.begin.value, part.end.value, version.value);
        }
    });
    return all;
}

TEST(VersionMap, IsOfVersionZeroAtFirst) {
    const VersionMap map;
    EXPECT_EQ(pieces(map, range(5, 1ULL << 50)), (std::vector<Piece>{{5, 1ULL << 50, 0}}));
    EXPECT_TRUE(pieces(map, range(7, 7)).empty());
}

TEST(VersionMap, TheLastAssignmentCounts) {
    VersionMap map;
    map.assign(range(100, 200), Version{1});
    map.assign(range(150, 250), Version{2});
    map.assign(range(160, 170), Version{3});
    EXPECT_EQ(pieces(map, range(0, 300)), (std::vector<Piece>{{0, 100, 0},
                                                              {100, 150, 1},
                                                              {150, 160, 2},
                                                              {160, 170, 3},
                                                              {170, 250, 2},
                                                              {250, 300, 0}}));
    map.assign(range(0, 300), Version{0});
    EXPECT_EQ(pieces(map, range(0, 300)), (std::vector<Piece>{{0, 300, 0}}));
}

TEST(VersionMap, CrossesStretches) {
    VersionMap map;
    map.assign(range(65000, 200000), Version{4});
    map.assign(range(131072, 196608), Version{0});
    EXPECT_EQ(pieces(map, range(0, 300000)), (std::vector<Piece>{{0, 65000, 0},
                                                                 {65000, 131072, 4},
                                                                 {131072, 196608, 0},
                                                                 {196608, 200000, 4},
                                                                 {200000, 300000, 0}}));
}

TEST(VersionMap, AHugeHoleCostsNothing) {
    VersionMap map;
    const std::uint64_t far = std::numeric_limits<std::int64_t>::max();
    map.assign(range(far - 10, far), Version{1});
    map.assign(range(0, far - 5), Version{0});
    EXPECT_EQ(pieces(map, range(far - 20, far)),
              (std::vector<Piece>{{far - 20, far - 5, 0}, {far - 5, far, 1}}));
}

TEST(VersionMap, CostsLessThanAHundredthOfTheFileIfWrittenInBlocks) {
    constexpr std::uint64_t kSize = 64U << 20U;
    for (const std::uint64_t block : {1024U, 2048U, 4096U}) {
        VersionMap map;
        // In an order that lets stretches grow entry by entry.
        for (std::uint64_t step = 0; step < 8; ++step) {
            for (std::uint64_t at = step * block; at < kSize; at += 8 * block) {
                map.assign(range(at, at + block), Version{static_cast<std::uint32_t>(at / block)});
            }
        }
        EXPECT_LT(map.memory(), kSize / 100) << block;
        EXPECT_GT(map.memory(), kSize / block * 6) << "each block is remembered";
    }
}

} // namespace
} // namespace mmapstress
