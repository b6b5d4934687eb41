#include "fusefs/model/byte_ranges.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace partialfs::model {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ByteRange bytes(std::uint64_t begin, std::uint64_t end) {
    return {ByteOffset{begin}, ByteOffset{end}};
}

std::vector<std::byte> text(std::string_view characters) {
    std::vector<std::byte> result;
    for (const char c : characters) {
        result.push_back(static_cast<std::byte>(c));
    }
    return result;
}

TEST(DifferingRanges, AreMaximalAndReadAShortDiskAsZeros) {
    EXPECT_THAT(differing_ranges(text("abcdef"), text("abXYef"), ByteOffset{10}),
                ElementsAre(bytes(12, 14)));
    EXPECT_THAT(differing_ranges(text("XbcX"), text("abcd"), ByteOffset{0}),
                ElementsAre(bytes(0, 1), bytes(3, 4)));
    EXPECT_THAT(differing_ranges(text(std::string_view("a\0b", 3)), text("a"), ByteOffset{0}),
                ElementsAre(bytes(2, 3)));
    EXPECT_THAT(differing_ranges({}, {}, ByteOffset{0}), IsEmpty());
}

TEST(Joined, RangesThatOverlapOrTouchBecomeOne) {
    EXPECT_THAT(joined({bytes(20, 30), bytes(0, 10), bytes(5, 8), bytes(30, 31), bytes(12, 12)}),
                ElementsAre(bytes(0, 10), bytes(20, 31)));
    EXPECT_THAT(joined({bytes(0, 10), bytes(2, 4), bytes(9, 12)}), ElementsAre(bytes(0, 12)));
    EXPECT_THAT(joined({bytes(7, 7), bytes(9, 3)}), IsEmpty());
}

TEST(Without, LeavesWhatIsInNoneOfTheOthers) {
    const std::vector<ByteRange> all{bytes(0, 10), bytes(20, 30)};
    EXPECT_EQ(without(all, {}), all);
    EXPECT_THAT(without(all, std::vector{bytes(2, 4), bytes(6, 7), bytes(9, 22), bytes(29, 40)}),
                ElementsAre(bytes(0, 2), bytes(4, 6), bytes(7, 9), bytes(22, 29)));
    EXPECT_THAT(without(all, std::vector{bytes(0, 30)}), IsEmpty());
}

} // namespace
} // namespace partialfs::model
