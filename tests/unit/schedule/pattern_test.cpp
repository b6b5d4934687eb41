#include "tools/schedule/pattern.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace mmapstress {
namespace {

std::vector<std::byte> pattern(OpId id, std::uint64_t offset, std::size_t length,
                               FileIndex file = FileIndex{0}, std::uint64_t seed = 7) {
    std::vector<std::byte> bytes(length);
    fill_pattern(bytes, seed, file, id, ByteOffset{offset});
    return bytes;
}

TEST(Pattern, IsTheSameHoweverItIsCut) {
    const std::vector<std::byte> whole = pattern(OpId{77}, 1000, 5000);
    for (std::size_t from = 0; from < whole.size(); from += 37) {
        for (const std::size_t length : {1U, 5U, 16U, 17U, 64U, 1460U}) {
            const std::size_t count = std::min<std::size_t>(length, whole.size() - from);
            const std::vector<std::byte> part = pattern(OpId{77}, 1000 + from, count);
            ASSERT_TRUE(std::equal(part.begin(), part.end(),
                                   whole.begin() + static_cast<std::ptrdiff_t>(from)));
        }
    }
}

TEST(Pattern, HasNoZeros) {
    for (std::uint64_t id = 0; id < 40; ++id) {
        EXPECT_EQ(std::ranges::count(pattern(OpId{id}, 0, 65536), std::byte{0}), 0);
    }
}

TEST(Pattern, DiffersInEveryByteBetweenColours) {
    for (std::uint64_t a = 1; a < 5; ++a) {
        for (std::uint64_t b = a + 1; b < 80; ++b) {
            const auto first = pattern(OpId{a}, 123, 4096);
            const auto second = pattern(OpId{b}, 123, 4096);
            std::size_t equal = 0;
            for (std::size_t i = 0; i < first.size(); ++i) {
                equal += first[i] == second[i] ? 1U : 0U;
            }
            if (colour_of(OpId{a}) != colour_of(OpId{b})) {
                EXPECT_EQ(equal, 0U) << a << " and " << b;
            } else {
                EXPECT_LT(equal, 4096U / 3) << a << " and " << b;
            }
        }
    }
}

TEST(Pattern, DependsOnSeedFileAndTheHighHalves) {
    const auto base = pattern(OpId{5}, 0, 64);
    EXPECT_NE(base, pattern(OpId{5}, 0, 64, FileIndex{1}));
    EXPECT_NE(base, pattern(OpId{5}, 0, 64, FileIndex{0}, 8));
    EXPECT_NE(base, pattern(OpId{5 + (63ULL << 32)}, 0, 64));
    EXPECT_NE(base, pattern(OpId{5}, 1ULL << 37, 64));
    EXPECT_NE(base, pattern(OpId{5}, 32, 64));
}

TEST(Pattern, IsOneStreamAcrossTheHighHalfOfTheCell) {
    const std::uint64_t border = 1ULL << 37;
    const auto across = pattern(OpId{5}, border - 24, 48);
    const auto before = pattern(OpId{5}, border - 24, 24);
    const auto after = pattern(OpId{5}, border, 24);
    EXPECT_TRUE(std::equal(before.begin(), before.end(), across.begin()));
    EXPECT_TRUE(std::equal(after.begin(), after.end(), across.begin() + 24));
}

TEST(Origin, ReadsAnyCellBackwards) {
    for (const std::uint64_t id : {0ULL, 1ULL, 63ULL, 123456ULL, 0xffffffffULL}) {
        for (const std::uint64_t offset : {0ULL, 32ULL, 4096ULL, (1ULL << 37) - 32}) {
            const auto bytes = pattern(OpId{id}, offset, kCellSize, FileIndex{3});
            const auto origin = origin_of(std::span(bytes).first<kCellSize>(), 7, FileIndex{3});
            ASSERT_TRUE(origin);
            EXPECT_EQ(*origin, (Origin{OpId{id}, ByteOffset{offset}}));
        }
    }
}

TEST(Origin, RefusesWhatIsNoCell) {
    std::vector<std::byte> bytes(kCellSize);
    EXPECT_FALSE(origin_of(std::span(bytes).first<kCellSize>(), 7, FileIndex{0}));
    bytes = pattern(OpId{9}, 0, kCellSize);
    bytes[3] ^= std::byte{0x10};
    EXPECT_FALSE(origin_of(std::span(bytes).first<kCellSize>(), 7, FileIndex{0}));
}

TEST(Content, ComesFromFillAndDataToo) {
    std::vector<std::byte> out(2);
    Content content;
    content.kind = ContentKind::fill;
    content.fill = std::byte{9};
    fill_content(out, content, 1, FileIndex{0}, OpId{1}, ByteOffset{0}, ByteOffset{0});
    EXPECT_EQ(out, (std::vector<std::byte>{std::byte{9}, std::byte{9}}));
    content.kind = ContentKind::data;
    content.data = {std::byte{1}, std::byte{2}, std::byte{3}};
    fill_content(out, content, 1, FileIndex{0}, OpId{1}, ByteOffset{10}, ByteOffset{11});
    EXPECT_EQ(out, (std::vector<std::byte>{std::byte{2}, std::byte{3}}));
    content.kind = ContentKind::pattern;
    fill_content(out, content, 7, FileIndex{0}, OpId{4}, ByteOffset{10}, ByteOffset{11});
    EXPECT_EQ(out, pattern(OpId{4}, 11, 2));
}

} // namespace
} // namespace mmapstress
