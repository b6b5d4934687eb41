#include "fusefs/file/page_hashes.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <vector>

namespace partialfs::file {
namespace {

using model::ByteOffset;
using model::ByteRange;
using model::kPageSize;
using model::PageIndex;

std::vector<std::byte> filled(std::size_t size, char value) {
    return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

TEST(PageHashes, KeepsNothingThatNobodyWants) {
    PageHashes hashes(false);
    hashes.set(ByteOffset{0}, filled(kPageSize, 'a'));
    hashes.written(ByteOffset{0}, filled(10, 'a'));
    EXPECT_TRUE(hashes.pages().empty());
}

TEST(PageHashes, TellsAPageFromAnother) {
    PageHashes hashes(true);
    std::vector<std::byte> bytes = filled(2 * kPageSize, 'a');
    hashes.set(ByteOffset{kPageSize}, bytes);
    EXPECT_FALSE(hashes.contains(PageIndex{0}));
    ASSERT_TRUE(hashes.contains(PageIndex{2}));
    EXPECT_TRUE(hashes.match(PageIndex{2}, filled(kPageSize, 'a')));
    bytes.back() = std::byte{'b'};
    EXPECT_FALSE(hashes.match(PageIndex{2}, std::span(bytes).subspan(kPageSize)));
}

TEST(PageHashes, TakesBytesPastTheEndOfTheFileForZeros) {
    PageHashes hashes(true);
    hashes.set(ByteOffset{0}, filled(100, 'a'));
    std::vector<std::byte> whole = filled(kPageSize, 0);
    std::ranges::fill(std::span(whole).first(100), std::byte{'a'});
    EXPECT_TRUE(hashes.match(PageIndex{0}, whole));
    whole[100] = std::byte{1};
    EXPECT_FALSE(hashes.match(PageIndex{0}, whole));
}

TEST(PageHashes, KnowsOnlyPagesThatAWriteCoversWholly) {
    PageHashes hashes(true);
    hashes.set(ByteOffset{0}, filled(3 * kPageSize, 'a'));
    hashes.written(ByteOffset{kPageSize - 1}, filled(kPageSize + 2, 'b'));
    EXPECT_FALSE(hashes.knows(PageIndex{0}));
    ASSERT_TRUE(hashes.knows(PageIndex{1}));
    EXPECT_TRUE(hashes.match(PageIndex{1}, filled(kPageSize, 'b')));
    EXPECT_FALSE(hashes.knows(PageIndex{2}));
}

TEST(PageHashes, ForgetsEveryPageThatARangeTouches) {
    PageHashes hashes(true);
    hashes.set(ByteOffset{0}, filled(4 * kPageSize, 'a'));
    hashes.erase({ByteOffset{kPageSize + 5}, ByteOffset{2 * kPageSize + 1}});
    EXPECT_EQ(hashes.pages().ranges(), (std::vector{PageRange{PageIndex{0}, PageIndex{0}},
                                                    PageRange{PageIndex{3}, PageIndex{3}}}));
    hashes.clear();
    EXPECT_TRUE(hashes.pages().empty());
}

} // namespace
} // namespace partialfs::file
