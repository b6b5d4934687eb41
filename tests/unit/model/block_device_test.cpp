#include "fusefs/model/block_device.hpp"
#include "fusefs/model/file_blocks.hpp"

#include <gtest/gtest.h>

namespace partialfs::model {
namespace {

constexpr Contract kContract = Contract::linux_6_12_blockdev;
const BlockSize kKiB = *BlockSize::from_bytes(1024);
const BlockMask kAll = kKiB.all();
constexpr BlockMask kNone{};

WriteDecision writeback(PageState& page) {
    return block_device::writeback(page, kAll, kKiB);
}

TEST(BlockDevice, AStoreIntoAPageThatWasReadIsPassedOver) {
    PageState page;
    block_device::read(page);
    block_device::store(page, kKiB);
    EXPECT_EQ(writeback(page), (WriteDecision{kNone, kAll}));
}

TEST(BlockDevice, AWriteSavesItsOwnBlockBeforeAndAfterTheStore) {
    for (const bool write_first : {false, true}) {
        PageState page;
        block_device::read(page);
        if (write_first) {
            block_device::write(page, BlockMask{0b0010}, false, kKiB);
        }
        block_device::store(page, kKiB);
        if (!write_first) {
            block_device::write(page, BlockMask{0b0010}, false, kKiB);
        }
        EXPECT_EQ(writeback(page), (WriteDecision{BlockMask{0b0010}, BlockMask{0b1101}}));
        block_device::store(page, kKiB);
        EXPECT_EQ(writeback(page).written, kNone) << "every writeback clears the bits";
    }
}

TEST(BlockDevice, APageWrittenAsAWholeHasNoBitsUntilItIsWrittenBack) {
    PageState page;
    block_device::write(page, kAll, true, kKiB);
    EXPECT_FALSE(page.has_block_bits);
    block_device::store(page, kKiB);
    EXPECT_EQ(writeback(page).written, kAll);
    block_device::store(page, kKiB);
    EXPECT_EQ(writeback(page).skipped, kAll);
}

TEST(BlockDevice, BitsOfADirtyPageBeginSet) {
    PageState page;
    block_device::write(page, kAll, true, kKiB);
    block_device::write(page, BlockMask{0b0001}, false, kKiB);
    EXPECT_TRUE(page.has_block_bits);
    EXPECT_EQ(writeback(page).written, kAll);
}

TEST(BlockDevice, AllBlocksTouchedIsNotTheWholePage) {
    PageState page;
    block_device::write(page, kAll, false, kKiB); // bytes 1 to 4096
    EXPECT_EQ(writeback(page).written, kAll);
    PageState read_before;
    block_device::read(read_before);
    block_device::write(read_before, kAll, true, kKiB);
    EXPECT_EQ(writeback(read_before).written, kAll);
}

TEST(BlockDevice, WithOneBlockAPageNothingIsLost) {
    const BlockSize page_size = *BlockSize::from_bytes(4096);
    EXPECT_FALSE(may_lose_mapped_stores(kContract, FlushPolicy::writeback, page_size.per_page()));
    EXPECT_TRUE(may_lose_mapped_stores(kContract, FlushPolicy::writeback, kKiB.per_page()));
    PageState page;
    block_device::read(page);
    for (int i = 0; i < 2; ++i) {
        block_device::store(page, page_size);
        EXPECT_EQ(block_device::writeback(page, page_size.all(), page_size).written,
                  page_size.all());
    }
}

TEST(BlockDevice, GoesWithNoPolicyThatFlushes) {
    EXPECT_TRUE(go_together(kContract, FlushPolicy::writeback));
    EXPECT_FALSE(go_together(kContract, FlushPolicy::ext3));
    EXPECT_FALSE(go_together(kContract, FlushPolicy::eager));
}

/// The same with a file's block table.
TEST(BlockDevice, AFilesPagesRememberTheirBitsUntilTheyAreEvicted) {
    constexpr ByteOffset kSize{4 * kPageSize};
    FileBlocks file(kKiB);
    file.read({ByteOffset{0}, kSize});
    file.forget_idle();
    EXPECT_EQ(file.writepage(PageIndex{1}, kContract, kSize).skipped, kAll);
    file.explicit_write({ByteOffset{kPageSize + 1000}, ByteOffset{kPageSize + 1030}}, kContract);
    EXPECT_EQ(file.writepage_unmapped(PageIndex{1}, kContract, kSize).written, BlockMask{0b0011});
    file.evict(PageIndex{1});
    file.explicit_write({ByteOffset{kPageSize}, ByteOffset{2 * kPageSize}}, kContract);
    EXPECT_EQ(file.writepage(PageIndex{1}, kContract, kSize).written, kAll) << "a new folio";
}

} // namespace
} // namespace partialfs::model
