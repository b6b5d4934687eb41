#include "fusefs/model/ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace partialfs::model {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const BlockSize kBlockSize = *BlockSize::from_bytes(1024);
constexpr InodeId kInode{7};
constexpr BlockIndex kBlock{4};

ByteRange bytes(std::uint64_t begin, std::uint64_t end) {
    return {ByteOffset{begin}, ByteOffset{end}};
}

LostStore loss_at(std::uint64_t when) {
    LostStore loss;
    loss.inode = kInode;
    loss.path = "a/file";
    loss.page = PageIndex{1};
    loss.lost_at = Nanoseconds{when};
    return loss;
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

TEST(Ledger, ALossSeenAgainIsTheSameEntry) {
    Ledger ledger;
    ledger.record(loss_at(1), kBlock, {bytes(4096, 4100), bytes(4200, 4201)});
    ledger.record(loss_at(2), kBlock, {bytes(4098, 4110)});
    const std::vector<LostStore> entries = ledger.entries();
    ASSERT_EQ(entries.size(), 3U);
    EXPECT_EQ(entries[0].bytes, bytes(4096, 4100));
    EXPECT_EQ(entries[0].lost_at, loss_at(1).lost_at);
    EXPECT_EQ(entries[2].bytes, bytes(4100, 4110)) << "only what is new gets an entry";
    EXPECT_FALSE(entries[1].healed_at)
        << "a page read again has the disk's bytes; that brings no store back";
    EXPECT_EQ(ledger.counts().open_bytes, 4U + 1U + 10U);
}

TEST(Ledger, WritingPartOfAnEntryHealsThatPart) {
    Ledger ledger;
    ledger.record(loss_at(1), kBlock, {bytes(4096, 4200)});
    ledger.heal(loss_at(1).inode, bytes(4100, 4110), kBlockSize, Nanoseconds{9});
    const Ledger::Counts counts = ledger.counts();
    EXPECT_EQ(counts.open, 2U);
    EXPECT_EQ(counts.open_bytes, 94U);
    EXPECT_EQ(counts.healed, 1U);
    EXPECT_TRUE(ledger.has_open(loss_at(1).inode, bytes(4100, 4110), kBlockSize))
        << "asked by block, not by byte";
    ledger.drop(loss_at(1).inode, bytes(4000, 4150), kBlockSize);
    EXPECT_EQ(ledger.counts().open_bytes, 50U);
    EXPECT_FALSE(ledger.has_open(loss_at(1).inode, bytes(5120, 6144), kBlockSize));
}

TEST(Ledger, WritingTheBlockHealsIt) {
    Ledger ledger;
    ledger.record(loss_at(1), kBlock, {bytes(4096, 4100)});
    ledger.heal(kInode, kBlockSize.range_of(PageIndex{1}, BlockInPage{1}), kBlockSize,
                Nanoseconds{9});
    EXPECT_TRUE(ledger.has_open(kInode));
    ledger.heal(kInode, kBlockSize.range_of(PageIndex{1}, BlockInPage{0}), kBlockSize,
                Nanoseconds{9});
    EXPECT_FALSE(ledger.has_open(kInode));
    EXPECT_EQ(ledger.counts(), (Ledger::Counts{1, 0, 0, 1, 0}));
}

TEST(Ledger, TruncationCutsAnEntryOff) {
    Ledger ledger;
    ledger.record(loss_at(1), kBlock, {bytes(4096, 4100), bytes(4200, 4300)});
    ledger.truncate(kInode, ByteOffset{4098});
    const std::vector<LostStore> entries = ledger.entries();
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(entries[0].bytes, bytes(4096, 4098));
    EXPECT_EQ(ledger.counts(), (Ledger::Counts{2, 1, 2, 0, 1}));
}

TEST(Ledger, ForgettingAnInodeLeavesTheOthers) {
    Ledger ledger;
    ledger.record(loss_at(1), kBlock, {bytes(4096, 4100)});
    LostStore other = loss_at(1);
    other.inode = InodeId{8};
    ledger.record(other, kBlock, {bytes(4096, 4100)});
    ledger.forget(kInode);
    EXPECT_FALSE(ledger.has_open(kInode));
    EXPECT_TRUE(ledger.has_open(InodeId{8}));
}

TEST(Ledger, KeepsABoundedNumberOfHealedEntries) {
    Ledger ledger;
    const std::uint64_t made = Ledger::kHealedKept + 10;
    for (std::uint64_t i = 0; i < made; ++i) {
        ledger.record(loss_at(i), kBlock, {bytes(4096, 4097)});
        ledger.heal(kInode, bytes(4096, 4097), kBlockSize, Nanoseconds{i});
    }
    EXPECT_EQ(ledger.entries().size(), Ledger::kHealedKept);
    EXPECT_EQ(ledger.counts().healed, made);
}

} // namespace
} // namespace partialfs::model
