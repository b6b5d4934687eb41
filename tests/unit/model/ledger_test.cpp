#include "fusefs/model/ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace partialfs::model {
namespace {

using testing::ElementsAre;

const BlockSize kBlockSize = *BlockSize::from_bytes(1024);
constexpr InodeId kInode{7};

ByteRange bytes(std::uint64_t begin, std::uint64_t end) {
    return {ByteOffset{begin}, ByteOffset{end}};
}

Loss loss_at(std::uint64_t when) {
    return {.cleaned_by = CommitId{5}, .lost_at = Nanoseconds{when}};
}

void record(Ledger& ledger, std::uint64_t when, std::vector<ByteRange> lost,
            InodeId inode = kInode) {
    ledger.record(inode, "a/file", loss_at(when), lost);
}

TEST(Ledger, ALossSeenAgainIsTheSameEntry) {
    Ledger ledger(kBlockSize);
    record(ledger, 1, {bytes(4096, 4100), bytes(4200, 4201)});
    record(ledger, 2, {bytes(4098, 4110)});
    const std::vector<LostStore> entries = ledger.read();
    ASSERT_EQ(entries.size(), 3U);
    EXPECT_EQ(entries[0].bytes, bytes(4096, 4100));
    EXPECT_EQ(entries[0].loss, loss_at(1));
    EXPECT_EQ(entries[0].path, "a/file");
    EXPECT_EQ(entries[2].bytes, bytes(4100, 4110)) << "only what is new gets an entry";
    EXPECT_EQ(entries[2].loss, loss_at(2));
    EXPECT_FALSE(entries[1].healed_at)
        << "a page read again has the disk's bytes; that brings no store back";
    EXPECT_EQ(ledger.counts().open_bytes, 4U + 1U + 10U);
}

TEST(Ledger, EntriesLieInsideABlockAndRangesThatTouchThereAreOne) {
    Ledger ledger(kBlockSize);
    record(ledger, 1, {bytes(100, 200), bytes(200, 300), bytes(1000, 9000)});
    const std::vector<LostStore> entries = ledger.read();
    std::vector<ByteRange> ranges;
    for (const LostStore& entry : entries) {
        ranges.push_back(entry.bytes);
    }
    EXPECT_THAT(ranges, ElementsAre(bytes(100, 300), bytes(1000, 1024), bytes(1024, 2048),
                                    bytes(2048, 3072), bytes(3072, 4096), bytes(4096, 5120),
                                    bytes(5120, 6144), bytes(6144, 7168), bytes(7168, 8192),
                                    bytes(8192, 9000)));
    EXPECT_EQ(entries.back().number, 10U);
}

TEST(Ledger, WritingPartOfAnEntryHealsThatPart) {
    Ledger ledger(kBlockSize);
    record(ledger, 1, {bytes(4096, 4200)});
    ledger.heal(kInode, bytes(4100, 4110), Nanoseconds{9});
    const Ledger::Counts counts = ledger.counts();
    EXPECT_EQ(counts.open, 2U);
    EXPECT_EQ(counts.open_bytes, 94U);
    EXPECT_EQ(counts.healed, 1U);
    EXPECT_FALSE(ledger.has_open(kInode, bytes(4100, 4110)));
    EXPECT_TRUE(ledger.has_open(kInode, bytes(4099, 4110)));
    ledger.drop(kInode, bytes(4000, 4150));
    EXPECT_EQ(ledger.counts().open_bytes, 50U);
    EXPECT_FALSE(ledger.has_open(kInode, bytes(5120, 6144)));
}

TEST(Ledger, WritingTheBlockHealsIt) {
    Ledger ledger(kBlockSize);
    record(ledger, 1, {bytes(4096, 4100)});
    ledger.heal(kInode, kBlockSize.range_of(PageIndex{1}, BlockInPage{1}), Nanoseconds{9});
    EXPECT_TRUE(ledger.has_open(kInode));
    ledger.heal(kInode, kBlockSize.range_of(PageIndex{1}, BlockInPage{0}), Nanoseconds{9});
    EXPECT_FALSE(ledger.has_open(kInode));
    EXPECT_EQ(ledger.counts(), (Ledger::Counts{.recorded = 1, .healed = 1}));
    ASSERT_EQ(ledger.read().size(), 1U);
    EXPECT_EQ(ledger.read()[0].healed_at, Nanoseconds{9});
    EXPECT_EQ(ledger.read()[0].path, "a/file");
}

TEST(Ledger, TruncationCutsAnEntryOff) {
    Ledger ledger(kBlockSize);
    record(ledger, 1, {bytes(4096, 4100), bytes(4200, 4300)});
    ledger.truncate(kInode, ByteOffset{4098});
    const std::vector<LostStore> entries = ledger.read();
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(entries[0].bytes, bytes(4096, 4098));
    EXPECT_EQ(ledger.counts(),
              (Ledger::Counts{.recorded = 2, .open = 1, .open_bytes = 2, .dropped = 2}));
}

TEST(Ledger, ForgettingAnInodeLeavesTheOthers) {
    Ledger ledger(kBlockSize);
    record(ledger, 1, {bytes(4096, 4100)});
    record(ledger, 1, {bytes(4096, 4100)}, InodeId{8});
    ledger.forget(kInode);
    EXPECT_FALSE(ledger.has_open(kInode));
    EXPECT_FALSE(ledger.has_path(kInode));
    EXPECT_TRUE(ledger.has_open(InodeId{8}));
}

TEST(Ledger, KeepsABoundedNumberOfHealedEntries) {
    Ledger ledger(kBlockSize);
    const std::uint64_t made = Ledger::kHealedKept + 10;
    for (std::uint64_t i = 0; i < made; ++i) {
        record(ledger, i, {bytes(4096, 4097)}, InodeId{i});
        ledger.heal(InodeId{i}, bytes(4096, 4097), Nanoseconds{i});
    }
    EXPECT_EQ(ledger.read().size(), Ledger::kHealedKept);
    EXPECT_EQ(ledger.read().front().number, 11U) << "the latest discovered ones";
    EXPECT_EQ(ledger.counts().healed, made);
    EXPECT_FALSE(ledger.has_path(InodeId{9})) << "no entry, no path";
    EXPECT_TRUE(ledger.has_path(InodeId{10}));
}

TEST(Ledger, OnlyCountsWhatIsLostWhileItIsFull) {
    Ledger ledger(kBlockSize, /*open_kept=*/2);
    record(ledger, 1, {bytes(0, 10), bytes(20, 30), bytes(40, 45)});
    record(ledger, 2, {bytes(5000, 5001)}, InodeId{8});
    EXPECT_EQ(ledger.counts(),
              (Ledger::Counts{
                  .recorded = 2, .open = 2, .open_bytes = 20, .not_kept = 2, .not_kept_bytes = 6}));
    EXPECT_FALSE(ledger.has_open(InodeId{8}));
    ledger.heal(kInode, bytes(0, 10), Nanoseconds{3});
    record(ledger, 4, {bytes(5000, 5001)}, InodeId{8});
    EXPECT_TRUE(ledger.has_open(InodeId{8})) << "there is room again";
}

TEST(Ledger, CuttingEntriesMakesNoMoreThanItKeeps) {
    Ledger ledger(kBlockSize, /*open_kept=*/2);
    record(ledger, 1, {bytes(0, 10), bytes(20, 30)});
    ledger.drop(kInode, bytes(4, 6));
    EXPECT_EQ(ledger.counts(), (Ledger::Counts{.recorded = 2,
                                               .open = 2,
                                               .open_bytes = 8,
                                               .dropped = 1,
                                               .not_kept = 1,
                                               .not_kept_bytes = 10}));
}

TEST(Ledger, IsReadAFewEntriesAtATime) {
    Ledger ledger(kBlockSize);
    record(ledger, 1, {bytes(8192, 8193), bytes(8194, 8195)});
    record(ledger, 2, {bytes(0, 100)});
    record(ledger, 3, {bytes(4096, 4097)}, InodeId{3});
    ledger.heal(kInode, bytes(10, 20), Nanoseconds{9});
    std::vector<LostStore> entries;
    LedgerPosition next;
    for (auto part = ledger.read(next, 4, 2); !part.empty(); part = ledger.read(next, 4, 2)) {
        EXPECT_LE(part.size(), 2U);
        next = LedgerPosition::after(part.back());
        entries.insert(entries.end(), part.begin(), part.end());
    }
    EXPECT_EQ(entries, ledger.read());
    ASSERT_EQ(entries.size(), 6U);
    EXPECT_EQ(entries[2].bytes, bytes(0, 10));
    EXPECT_EQ(entries[3].bytes, bytes(10, 20));
    EXPECT_TRUE(entries[3].healed_at) << "open and healed ones in one order";
    EXPECT_EQ(entries[4].bytes, bytes(20, 100));
    EXPECT_EQ(ledger.read({}, 2).size(), 2U) << "up to a number";
}

TEST(Ledger, HasTheSizesThatACutTookAmongTheRest) {
    Ledger ledger(kBlockSize);
    record(ledger, 1, {bytes(0, 10)});
    const auto cut = [](std::uint64_t when) {
        return Loss{.kind = LossKind::cut, .lost_at = Nanoseconds{when}};
    };
    ledger.record_size(kInode, "file", cut(2), {ByteOffset{9000}, ByteOffset{10}});
    record(ledger, 3, {bytes(100, 110)});
    ledger.record_size(InodeId{3}, "other", cut(4), {ByteOffset{0}, ByteOffset{5}});
    std::vector<LostStore> entries;
    LedgerPosition next;
    for (auto part = ledger.read(next, 4, 1); !part.empty(); part = ledger.read(next, 4, 1)) {
        next = LedgerPosition::after(part.back());
        entries.insert(entries.end(), part.begin(), part.end());
    }
    EXPECT_EQ(entries, ledger.read());
    ASSERT_EQ(entries.size(), 4U);
    EXPECT_EQ(entries[1].number, 2U);
    EXPECT_EQ(entries[1].path, "file");
    EXPECT_EQ(entries[1].loss.kind, LossKind::cut);
    EXPECT_EQ(entries[1].size, (LostSize{ByteOffset{9000}, ByteOffset{10}}));
    EXPECT_TRUE(entries[1].bytes.empty());
    EXPECT_EQ(entries[1].bytes.begin, ByteOffset{10});
    EXPECT_EQ(entries[3].bytes.begin, ByteOffset{0});
    EXPECT_EQ(ledger.counts().open, 4U);
    EXPECT_EQ(ledger.counts().open_bytes, 20U);
}

TEST(Ledger, ASizeThatAFaultLeftOutGoesWithTheFilesNextSize) {
    Ledger ledger(kBlockSize);
    const Loss fault{.kind = LossKind::fault, .lost_at = Nanoseconds{1}};
    const Loss cut{.kind = LossKind::cut, .lost_at = Nanoseconds{1}};
    const LostSize size{ByteOffset{9000}, ByteOffset{10}};
    ledger.record_size(kInode, "file", fault, size);
    ledger.record_size(kInode, "file", cut, size);
    ledger.record_size(InodeId{3}, "other", fault, size);
    EXPECT_TRUE(ledger.has_open(kInode));
    ledger.truncate(kInode, ByteOffset{5000});
    EXPECT_FALSE(ledger.has_open(kInode)) << "what a cut took is settled";
    const auto entries = ledger.read();
    ASSERT_EQ(entries.size(), 2U);
    EXPECT_EQ(entries[0].loss.kind, LossKind::cut);
    EXPECT_EQ(entries[1].loss.kind, LossKind::fault);
    EXPECT_EQ(entries[1].path, "other");
    EXPECT_EQ(ledger.counts().open, 2U);
    EXPECT_EQ(ledger.counts().dropped, 1U);
    ledger.forget(InodeId{3});
    EXPECT_EQ(ledger.read().size(), 1U);
}

TEST(Ledger, WhatAPowerCutSettlesKeepsItsPathAndStays) {
    Ledger ledger(kBlockSize);
    record(ledger, 1, {bytes(0, 10)});
    ledger.record_size(kInode, "file", {.kind = LossKind::fault}, {ByteOffset{9}, ByteOffset{1}});
    EXPECT_FALSE(ledger.read()[0].settled);
    EXPECT_FALSE(ledger.read()[1].settled);
    ledger.settle(kInode, "renamed");
    ledger.settle(InodeId{70}, "nothing of it is known");
    for (const LostStore& entry : ledger.read()) {
        EXPECT_TRUE(entry.settled);
        EXPECT_EQ(entry.path, "renamed");
    }
}

} // namespace
} // namespace partialfs::model
