#include "fusefs/file/buffer.hpp"
#include "fusefs/file/file_losses.hpp"
#include "fusefs/file/ledger_book.hpp"
#include "fusefs/trace/recorder.hpp"
#include "tests/temporary_directory.hpp"
#include "tests/unit/file/watched_io.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/uio.h>

#include <cerrno>
#include <fstream>
#include <string>

namespace partialfs::file {
namespace {

using model::BlockInPage;
using model::BlockMask;
using model::ByteOffset;
using model::ByteRange;
using model::PageIndex;

constexpr model::InodeId kInode{7};
constexpr std::uint64_t kPage = model::kPageSize;

/// The losses of a file of two pages, all 'd' on disk.
class FileLossesTest : public ::testing::Test {
  protected:
    FileLossesTest() {
        std::ofstream(directory_ / "file") << std::string(2 * kPage, 'd');
        path_fd_ = *base::Fd::open(AT_FDCWD, (directory_ / "file").c_str(), O_PATH);
    }

    /// A writepage with the contents `text` that passes over the page's second block.
    void pass_over(const std::string& text, std::uint64_t page = 0) {
        losses_.note(
            {.page = PageIndex{page}, .blocks = BlockMask::of(BlockInPage{1}), .cleaned_by = {}},
            ByteOffset{page * kPage}, std::as_bytes(std::span(text)));
    }
    /// A page of 'd' with 's' stored into these bytes.
    static std::string stored(std::size_t at, std::size_t size) {
        std::string text(kPage, 'd');
        text.replace(at, size, size, 's');
        return text;
    }
    /// A write to the disk as in a flush.
    void write(std::uint64_t offset, std::string text) {
        iovec part{text.data(), text.size()};
        const auto healed = losses_.healed_by(ByteOffset{offset}, {&part, 1});
        ASSERT_TRUE(file_.write(ByteOffset{offset}, {&part, 1}));
        losses_.heal(healed);
    }
    [[nodiscard]] std::uint64_t open_bytes() const { return ledger_.counts().open_bytes; }

    partialfs::testing::TemporaryDirectory directory_;
    WatchedIo io_;
    BufferBudget budget_{1U << 20U};
    LedgerBook ledger_{*model::BlockSize::from_bytes(1024)};
    trace::Recorder trace_{*model::BlockSize::from_bytes(1024)};
    Context context_{.io = io_,
                     .budget = budget_,
                     .ledger = ledger_,
                     .trace = trace_,
                     .settings = {.block_size = *model::BlockSize::from_bytes(1024),
                                  .contract = model::Contract::linux_2_6_19,
                                  .policy = model::FlushPolicy::eager}};
    base::Fd path_fd_;
    BackingFile file_{io_, path_fd_, true};
    FileLosses losses_{kInode, file_, context_};
};

TEST_F(FileLossesTest, AreWhatDiffersInBlocksPassedOver) {
    pass_over(stored(1000, 100)); // 24 bytes in block 0, which was written; 76 in block 1
    EXPECT_TRUE(losses_.any());
    EXPECT_EQ(ledger_.counts().open, 1);
    EXPECT_EQ(open_bytes(), 76);
    EXPECT_TRUE(losses_.any_in({ByteOffset{1024}, ByteOffset{1025}}));
    EXPECT_FALSE(losses_.any_in({ByteOffset{0}, ByteOffset{1024}}));
}

TEST_F(FileLossesTest, AreNoneIfTheDiskHasTheBytes) {
    pass_over(stored(0, 100));
    EXPECT_FALSE(losses_.any());
    EXPECT_EQ(ledger_.counts().recorded, 0);
}

TEST_F(FileLossesTest, AreTheWholeBlockIfTheDiskCannotBeRead) {
    io_.set_faults("pread EIO");
    pass_over(std::string(kPage, 'd'));
    EXPECT_EQ(open_bytes(), 1024);
}

TEST_F(FileLossesTest, AreHealedByAnyWriteWhileThePageIsCached) {
    pass_over(stored(1024, 100));
    write(1024, std::string(50, 'd')); // equal to the bytes on disk, but memory now has them, too
    EXPECT_EQ(open_bytes(), 50);
    write(0, stored(1024, 100));
    EXPECT_EQ(open_bytes(), 0);
    EXPECT_FALSE(losses_.still_any());
    EXPECT_EQ(ledger_.counts().healed, 2);
}

TEST_F(FileLossesTest, OfAPageReadAgainAreHealedOnlyByOtherBytes) {
    pass_over(stored(1024, 100));
    losses_.pages_read({ByteOffset{0}, ByteOffset{kPage}});
    write(1024, std::string(50, 'd')); // equal to the bytes on disk: the store is still missing
    EXPECT_EQ(open_bytes(), 100);
    write(1024, std::string(50, 'n'));
    EXPECT_EQ(open_bytes(), 50);
}

TEST_F(FileLossesTest, StayOpenIfTheDiskCannotBeReadBeforeAWrite) {
    pass_over(stored(1024, 100));
    losses_.pages_read({ByteOffset{0}, ByteOffset{kPage}});
    io_.set_faults("pread EIO");
    write(1024, std::string(100, 'n'));
    EXPECT_EQ(open_bytes(), 100);
}

TEST_F(FileLossesTest, OfAPageThatLostAgainAreOfThatMemory) {
    pass_over(stored(1024, 100));
    losses_.pages_read({ByteOffset{0}, ByteOffset{kPage}});
    write(1024, std::string(100, 'n'));
    EXPECT_FALSE(losses_.still_any());
    pass_over(stored(1024, 10)); // the page is cached again, with 'd' where the disk has 'n'
    EXPECT_EQ(open_bytes(), 100);
    write(1024, std::string(100, 'n')); // rewriting it from memory heals
    EXPECT_EQ(open_bytes(), 0);
}

TEST_F(FileLossesTest, RefusedBytesAreLostUntilTheyAreWritten) {
    losses_.refused({ByteOffset{1000}, ByteOffset{kPage + 100}}, ENOSPC);
    EXPECT_TRUE(losses_.any());
    EXPECT_EQ(open_bytes(), kPage - 1000 + 100);
    EXPECT_EQ(ledger_.read({}, 1, 1).at(0).loss.error, ENOSPC);
    EXPECT_EQ(ledger_.counts().open, 5) << "block by block";
    write(0, std::string(kPage, 's'));
    EXPECT_EQ(open_bytes(), 100);
    write(kPage, std::string(kPage, 'd')); // equal to the bytes on disk, but memory has them, too
    EXPECT_FALSE(losses_.still_any());
    EXPECT_EQ(ledger_.counts().healed, 5);
}

TEST_F(FileLossesTest, RefusedBytesOfAPageReadAgainAreHealedOnlyByOtherBytes) {
    losses_.refused({ByteOffset{0}, ByteOffset{kPage}}, ENOSPC);
    losses_.pages_read({ByteOffset{0}, ByteOffset{kPage}});
    write(0, std::string(kPage, 'd'));
    EXPECT_EQ(open_bytes(), kPage);
    write(0, std::string(kPage, 'n'));
    EXPECT_EQ(open_bytes(), 0);
    losses_.refused({ByteOffset{0}, ByteOffset{kPage}}, ENOSPC); // the page is cached again
    write(0, std::string(kPage, 'n'));
    EXPECT_EQ(open_bytes(), 0);
}

TEST_F(FileLossesTest, TheTraceSaysWhatWasLostAndWithWhichErrno) {
    losses_.refused({ByteOffset{10}, ByteOffset{20}}, ENOSPC);
    EXPECT_THAT(trace_.latest(),
                ::testing::HasSubstr(R"("event":"lost","inode":7,"page":0,"offset":10,"length":10,)"
                                     R"("commit":0,"errno":28})"));
}

TEST_F(FileLossesTest, GoWithTheBytes) {
    pass_over(stored(1024, 100));
    pass_over(stored(1024, 100), 1);
    losses_.drop({ByteOffset{1024}, ByteOffset{1074}});
    EXPECT_EQ(open_bytes(), 150);
    losses_.truncate(ByteOffset{kPage + 1034});
    EXPECT_EQ(open_bytes(), 60);
    losses_.forget();
    EXPECT_EQ(open_bytes(), 0);
    EXPECT_FALSE(losses_.any());
    EXPECT_EQ(ledger_.counts().healed, 0);
}

} // namespace
} // namespace partialfs::file
