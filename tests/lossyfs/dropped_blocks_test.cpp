#include "tests/lossyfs/dropped_blocks.hpp"

#include <gmock/gmock.h>

#include <cstring>

namespace lossyfs {
namespace {

std::vector<std::byte> bytes(std::size_t count, char value) {
    return std::vector<std::byte>(count, static_cast<std::byte>(value));
}

ByteRange range(std::uint64_t begin, std::uint64_t end) {
    return {ByteOffset{begin}, ByteOffset{end}};
}

std::vector<ByteRange> ranges(const DroppedBlocks& dropped) {
    std::vector<ByteRange> all;
    for (const Owed& owed : dropped.owed()) {
        all.push_back(owed.bytes);
    }
    return all;
}

class Dropped : public ::testing::Test {
  protected:
    void write(std::uint64_t offset, std::vector<std::byte> data, char disk) {
        blocks.written("f", ByteOffset{offset}, data,
                       [&](ByteRange part) { return bytes(part.size().value, disk); });
    }
    DroppedBlocks blocks{*BlockSize::from_bytes(1024)};
};

TEST_F(Dropped, OwesOnlyWhatDiffersFromTheDisk) {
    auto wanted = bytes(1024, 'a');
    wanted[5] = std::byte{'o'};
    blocks.dropped("f", ByteOffset{2048}, wanted, bytes(1024, 'a'));
    EXPECT_THAT(ranges(blocks), ::testing::ElementsAre(range(2053, 2054)));
    blocks.dropped("f", ByteOffset{4096}, bytes(10, 'b'), {});
    EXPECT_THAT(ranges(blocks), ::testing::ElementsAre(range(2053, 2054), range(4096, 4106)));
    blocks.dropped("f", ByteOffset{2048}, bytes(1024, 'a'), bytes(1024, 'a'));
    EXPECT_THAT(ranges(blocks), ::testing::ElementsAre(range(4096, 4106)));
}

TEST_F(Dropped, ALaterWritePaysExactlyItsBytes) {
    blocks.dropped("f", ByteOffset{1024}, bytes(1024, 'n'), bytes(1024, 'o'));
    write(0, bytes(1500, 'x'), 'o');
    write(1600, bytes(100, 'x'), 'o');
    EXPECT_THAT(ranges(blocks), ::testing::ElementsAre(range(1500, 1600), range(1700, 2048)));
    blocks.gone("f", range(1800, 1 << 20));
    EXPECT_THAT(ranges(blocks), ::testing::ElementsAre(range(1500, 1600), range(1700, 1800)));
    write(0, bytes(4096, 'o'), 'o');
    EXPECT_TRUE(blocks.owed().empty()) << "not read since: even the old bytes were stored anew";
}

TEST_F(Dropped, BytesThatTheKernelReadAndWritesBackAreStillOwed) {
    blocks.dropped("f", ByteOffset{0}, bytes(1024, 'n'), bytes(1024, 'o'));
    blocks.read("f", range(0, 4096));
    auto page = bytes(4096, 'o');
    std::memset(page.data() + 100, 'x', 50);
    write(0, page, 'o');
    EXPECT_THAT(ranges(blocks), ::testing::ElementsAre(range(0, 100), range(150, 1024)));
    blocks.dropped("f", ByteOffset{0}, std::span(page).first(1024), page);
    EXPECT_THAT(ranges(blocks), ::testing::ElementsAre(range(0, 100), range(150, 1024)));
}

TEST_F(Dropped, FollowsNames) {
    blocks.dropped("f", ByteOffset{0}, bytes(1024, 'n'), {});
    blocks.dropped("g", ByteOffset{0}, bytes(512, 'n'), {});
    blocks.renamed("f", "g");
    ASSERT_EQ(blocks.owed().size(), 1U);
    EXPECT_EQ(blocks.owed()[0].path, "g");
    EXPECT_EQ(blocks.owed()[0].bytes, range(0, 1024));
    blocks.unlinked("g");
    EXPECT_TRUE(blocks.owed().empty());
}

} // namespace
} // namespace lossyfs
