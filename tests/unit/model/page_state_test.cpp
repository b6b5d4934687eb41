#include "fusefs/model/page_state.hpp"

#include <gtest/gtest.h>

namespace partialfs::model {
namespace {

const BlockSize kKiB = *BlockSize::from_bytes(1024);
constexpr BlockMask kAll{0b1111};

// The recipe of the bug, on one page: write, store, commit, store, writepage.
TEST(PageState, RecipeLosesTheSecondStoreOnlyWithoutTheFix) {
    for (const Contract contract : {Contract::linux_2_6_19, Contract::linux_2_6_20}) {
        PageState page;
        explicit_write(page, kAll);
        set_page_dirty(page, kKiB);
        EXPECT_EQ(ordered_flush(page, FlushPolicy::ext3, kAll), kAll);
        EXPECT_TRUE(page.page_dirty) << "the commit must not touch PG_dirty: that is the bug";
        clear_page_dirty_for_io(page, contract, /*pte_was_dirty=*/true, kKiB);
        const WriteDecision decision = writepage(page, kAll);
        EXPECT_EQ(decision.skipped, contract == Contract::linux_2_6_19 ? kAll : BlockMask{});
        EXPECT_EQ(decision.written | decision.skipped, kAll);
        EXPECT_FALSE(page.page_dirty);
    }
}

TEST(PageState, Ext3CommitSparesBlocksThatNeverJoinedTheOrderedList) {
    PageState page;
    set_page_dirty(page, kKiB);
    EXPECT_TRUE(ordered_flush(page, FlushPolicy::ext3, kAll).empty());
    explicit_write(page, BlockMask{0b0010});
    EXPECT_EQ(ordered_flush(page, FlushPolicy::ext3, kAll), BlockMask{0b0010});
    clear_page_dirty_for_io(page, Contract::linux_2_6_19, true, kKiB);
    EXPECT_EQ(writepage(page, kAll), (WriteDecision{BlockMask{0b1101}, BlockMask{0b0010}}));
}

TEST(PageState, WritepageJoinsCleanMappedBlocksToo) {
    PageState page;
    explicit_write(page, BlockMask{0b0001});
    ordered_flush(page, FlushPolicy::ext3, kAll);
    explicit_write(page, BlockMask{0b0100});
    clear_page_dirty_for_io(page, Contract::linux_2_6_19, false, kKiB);
    EXPECT_EQ(writepage(page, kAll).written, BlockMask{0b0100});
    EXPECT_EQ(page.ordered, BlockMask{0b0101});
}

TEST(PageState, BlocksPastEofAreNeverWritten) {
    PageState page;
    set_page_dirty(page, kKiB);
    const BlockMask within = kKiB.within(PageIndex{3}, ByteOffset{3 * kPageSize + 1025});
    EXPECT_EQ(within, BlockMask{0b0011});
    EXPECT_EQ(ordered_flush(page, FlushPolicy::eager, within), within);
    clear_page_dirty_for_io(page, Contract::linux_2_6_20, true, kKiB);
    EXPECT_EQ(writepage(page, within), (WriteDecision{within, BlockMask{}}));
    EXPECT_TRUE(page.dirty.empty());
}

TEST(PageState, LearningTwiceIsLearningOnce) {
    PageState page;
    EXPECT_TRUE(learn_dirty(page, kKiB));
    ordered_flush(page, FlushPolicy::eager, kAll);
    EXPECT_FALSE(learn_dirty(page, kKiB)) << "a flushed page that is still PG_dirty is not news";
    EXPECT_TRUE(page.dirty.empty());
}

} // namespace
} // namespace partialfs::model
