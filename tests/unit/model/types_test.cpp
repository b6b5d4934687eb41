#include "fusefs/model/types.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace partialfs::model {
namespace {

TEST(BlockSize, AcceptsTheFourSizesOnly) {
    for (const std::uint64_t bytes : {512U, 1024U, 2048U, 4096U}) {
        ASSERT_TRUE(BlockSize::from_bytes(bytes));
        EXPECT_EQ(BlockSize::from_bytes(bytes)->per_page() * bytes, kPageSize);
    }
    for (const std::uint64_t bytes : {0U, 1U, 256U, 768U, 1023U, 8192U}) {
        EXPECT_FALSE(BlockSize::from_bytes(bytes)) << bytes;
    }
}

TEST(BlockSize, TouchedBlocksEndWhereTheRangeEnds) {
    const BlockSize size = *BlockSize::from_bytes(512);
    const auto touched = [&](std::uint64_t begin, std::uint64_t end) {
        return size.touched(PageIndex{1}, {ByteOffset{begin}, ByteOffset{end}}).bits();
    };
    EXPECT_EQ(touched(4096, 4097), 0b00000001);
    EXPECT_EQ(touched(4096 + 511, 4096 + 513), 0b00000011);
    EXPECT_EQ(touched(4096 + 512, 4096 + 1024), 0b00000010);
    EXPECT_EQ(touched(0, 1 << 20), 0b11111111);
    EXPECT_EQ(touched(8191, 9000), 0b10000000);
    EXPECT_EQ(touched(0, 4096), 0);
    EXPECT_EQ(touched(8192, 9000), 0);
    EXPECT_EQ(touched(5000, 5000), 0);
}

TEST(BlockSize, WorksAtTheEndOfTheLargestFile) {
    const BlockSize size = *BlockSize::from_bytes(4096);
    const ByteOffset last{static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())};
    EXPECT_EQ(size.within(page_of(last), last), BlockMask{1});
    EXPECT_EQ(size.within(PageIndex{page_of(last).value + 1}, last), BlockMask{});
}

TEST(ByteRange, EmptyRangesHaveNoSize) {
    const ByteRange backwards{ByteOffset{5}, ByteOffset{3}};
    EXPECT_TRUE(backwards.empty());
    EXPECT_EQ(backwards.size(), ByteCount{0});
}

#ifdef PARTIALFS_CHECKS
TEST(PreconditionsDeathTest, EndABuildThatChecks) {
    const BlockSize block_size = *BlockSize::from_bytes(1024);
    EXPECT_DEATH(ByteOffset{1} - ByteOffset{2}, "");
    EXPECT_DEATH(static_cast<void>(ByteRange{ByteOffset{7}, ByteOffset{7}}.last_page()), "");
    EXPECT_DEATH(BlockMask::of(BlockInPage{8}), "");
    EXPECT_DEATH(static_cast<void>(block_size.range_of(PageIndex{0}, BlockInPage{4})), "");
}
#endif

} // namespace
} // namespace partialfs::model
