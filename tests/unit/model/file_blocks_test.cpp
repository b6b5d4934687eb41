#include "fusefs/model/file_blocks.hpp"

#include <gtest/gtest.h>

namespace partialfs::model {
namespace {

const BlockSize kKiB = *BlockSize::from_bytes(1024);
constexpr ByteOffset kSize{64 * kPageSize * 3};
constexpr CommitId kFirst{1};
constexpr CommitId kSecond{2};

ByteRange bytes(std::uint64_t begin, std::uint64_t length) {
    return {ByteOffset{begin}, ByteOffset{begin + length}};
}

TEST(FileBlocks, FlushesInAscendingOrderAndOnlyOnce) {
    FileBlocks file(kKiB);
    file.explicit_write(bytes(70 * kPageSize + 100, 10));
    file.explicit_write(bytes(2 * kPageSize + 1000, 100));
    file.learn_dirty(PageIndex{130});
    std::vector<std::uint64_t> flushed;
    for (auto page = file.next_flushable(PageIndex{0}, FlushPolicy::eager, kSize); page;
         page = file.next_flushable(PageIndex{page->value + 1}, FlushPolicy::eager, kSize)) {
        flushed.push_back(page->value);
        EXPECT_FALSE(file.flush(*page, FlushPolicy::eager, kSize, kFirst).empty());
    }
    EXPECT_EQ(flushed, (std::vector<std::uint64_t>{2, 70, 130}));
    EXPECT_FALSE(file.next_flushable(PageIndex{0}, FlushPolicy::eager, kSize));
}

TEST(FileBlocks, AFlushedPageThatIsStillDirtyInTheKernelIsNotFlushedAgain) {
    FileBlocks file(kKiB);
    EXPECT_TRUE(file.learn_dirty(PageIndex{1}));
    file.flush(PageIndex{1}, FlushPolicy::eager, kSize, kFirst);
    EXPECT_FALSE(file.learn_dirty(PageIndex{1}));
    EXPECT_FALSE(file.next_flushable(PageIndex{0}, FlushPolicy::eager, kSize));
    EXPECT_EQ(file.writepage(PageIndex{1}, Contract::linux_2_6_19, kSize).skipped, kKiB.all());
    EXPECT_TRUE(file.learn_dirty(PageIndex{1})) << "after a writepage it is news again";
}

TEST(FileBlocks, RemembersWhichCommitCleanedEachBlock) {
    FileBlocks file(kKiB);
    file.learn_dirty(PageIndex{0});
    file.flush(PageIndex{0}, FlushPolicy::eager, kSize, kFirst);
    file.explicit_write(bytes(1024, 1));
    file.flush(PageIndex{0}, FlushPolicy::eager, kSize, kSecond);
    EXPECT_EQ(file.cleaned_by(PageIndex{0}, BlockInPage{0}), kFirst);
    EXPECT_EQ(file.cleaned_by(PageIndex{0}, BlockInPage{1}), kSecond);
}

TEST(FileBlocks, UnderEagerAPageAtRestLeavesNoEntryBehind) {
    FileBlocks file(kKiB);
    file.learn_dirty(PageIndex{5});
    file.writepage(PageIndex{5}, Contract::linux_2_6_20, kSize);
    file.explicit_write(bytes(7 * kPageSize, 100));
    for (const std::uint64_t page : {5U, 7U}) {
        EXPECT_EQ(file.next_flushable(PageIndex{0}, FlushPolicy::eager, kSize), PageIndex{page});
        file.flush(PageIndex{page}, FlushPolicy::eager, kSize, kFirst);
    }
    EXPECT_EQ(file.entries(), 0U);
}

TEST(FileBlocks, UnderExt3ACommitTakesCleanBlocksOffTheOrderedList) {
    FileBlocks file(kKiB);
    file.learn_dirty(PageIndex{5});
    file.writepage(PageIndex{5}, Contract::linux_2_6_19, kSize);
    ASSERT_EQ(file.next_flushable(PageIndex{0}, FlushPolicy::ext3, kSize), PageIndex{5});
    EXPECT_TRUE(file.flush(PageIndex{5}, FlushPolicy::ext3, kSize, kFirst).empty());
    EXPECT_FALSE(file.next_flushable(PageIndex{0}, FlushPolicy::ext3, kSize));
    EXPECT_EQ(file.page(PageIndex{5}).mapped, kKiB.all());
    file.forget_idle();
    EXPECT_EQ(file.entries(), 0U);
}

TEST(FileBlocks, EveryWritepageAndEveryNewEntryChangesTheGeneration) {
    FileBlocks file(kKiB);
    EXPECT_FALSE(file.generation(PageIndex{0}));
    file.learn_dirty(PageIndex{0});
    const auto first = file.generation(PageIndex{0});
    file.writepage(PageIndex{0}, Contract::linux_2_6_19, kSize);
    EXPECT_NE(file.generation(PageIndex{0}), first);
    file.flush(PageIndex{0}, FlushPolicy::ext3, kSize, kFirst);
    file.forget_idle();
    EXPECT_FALSE(file.generation(PageIndex{0}));
    file.learn_dirty(PageIndex{0});
    EXPECT_NE(file.generation(PageIndex{0}), first)
        << "a copy fetched before the writepage must not pass for a present one";
}

TEST(FileBlocks, RoomForPagesIsNoStateOfThem) {
    FileBlocks file(kKiB);
    file.reserve(bytes(70 * kPageSize, 30 * kPageSize));
    file.reserve(bytes(5, 0));
    EXPECT_EQ(file.entries(), 0U);
    EXPECT_FALSE(file.next_entry(PageIndex{0}));
    EXPECT_FALSE(file.generation(PageIndex{70}));
    file.explicit_write(bytes(75 * kPageSize, 10));
    EXPECT_EQ(file.next_entry(PageIndex{0}), PageIndex{75});
    EXPECT_EQ(file.entries(), 1U);
    file.truncate(ByteOffset{0}, false);
    EXPECT_EQ(file.entries(), 0U);
}

TEST(FileBlocks, AFailedFlushIsTriedAgain) {
    FileBlocks file(kKiB);
    file.explicit_write(bytes(0, 1));
    const BlockMask blocks = file.flush(PageIndex{0}, FlushPolicy::ext3, kSize, kFirst);
    file.flush_failed(PageIndex{0}, blocks);
    EXPECT_EQ(file.flush(PageIndex{0}, FlushPolicy::ext3, kSize, kSecond), blocks);
}

TEST(FileBlocks, TruncationDropsWhatIsBeyondIt) {
    FileBlocks file(kKiB);
    for (const std::uint64_t page : {0U, 1U, 2U, 63U, 64U, 65U, 128U}) {
        file.explicit_write(bytes(page * kPageSize, kPageSize));
    }
    file.truncate(ByteOffset{64 * kPageSize}, false);
    EXPECT_EQ(file.entries(), 4U);
    file.truncate(ByteOffset{kPageSize + 1024}, false);
    EXPECT_EQ(file.entries(), 2U);
    EXPECT_EQ(file.page(PageIndex{1}).dirty, BlockMask{0b0001});
    file.truncate(ByteOffset{0}, false);
    EXPECT_EQ(file.entries(), 0U);
}

TEST(FileBlocks, TruncationInsideABlockMakesThatBlockDirtyAndOrdered) {
    FileBlocks file(kKiB);
    file.truncate(ByteOffset{kPageSize + 1500}, true);
    EXPECT_EQ(file.page(PageIndex{1}).dirty, BlockMask{0b0010});
    EXPECT_EQ(file.page(PageIndex{1}).ordered, BlockMask{0b0010});
}

TEST(FileBlocks, PunchingTouchesOnlyBlocksWhollyInside) {
    FileBlocks file(kKiB);
    file.explicit_write(bytes(0, 3 * kPageSize));
    file.punch(bytes(1023, 2 * kPageSize));
    EXPECT_EQ(file.page(PageIndex{0}).dirty, BlockMask{0b0001});
    EXPECT_EQ(file.page(PageIndex{1}).dirty, BlockMask{});
    EXPECT_EQ(file.page(PageIndex{2}).dirty, BlockMask{0b1111});
}

} // namespace
} // namespace partialfs::model
