// Commits and writepages: what reaches the disk, in which order, and what is lost.
#include "fusefs/journal/change.hpp"
#include "tests/unit/journal/commit_fixture.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <future>
#include <string>
#include <thread>

namespace partialfs::journal {
namespace {

using model::ByteOffset;
using model::Contract;
using model::FlushPolicy;
using model::InodeId;
using model::PageIndex;
using ::testing::HasSubstr;

TEST_F(CommitTest, NothingReachesTheDiskBeforeACommitAndThenInOrder) {
    write(8192, std::string(4096, 'c'));
    write(0, std::string(4096, 'a'));
    write(5000, "bb");
    EXPECT_EQ(disk(), "");
    EXPECT_EQ(file_->size(), ByteOffset{12288});
    EXPECT_EQ(file_->attributes(cache_)->status.st_size, 12288);
    EXPECT_EQ(commit(), 0);
    EXPECT_THAT(io_.calls, ::testing::ElementsAre("write 0+4096", "write 5000+2", "write 8192+4096",
                                                  "times", "fdatasync"))
        << "data in ascending order, then the metadata, then the sync of both";
    EXPECT_EQ(disk().size(), 12288U);
    EXPECT_EQ(disk().substr(5000, 2), "bb");
    EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(CommitTest, GrowthByTruncationIsHeldBackWhileDataIsPending) {
    write(0, "abc");
    ASSERT_TRUE(file_->truncate(ByteOffset{10'000}));
    EXPECT_EQ(std::filesystem::file_size(directory_ / "file"), 0U);
    EXPECT_EQ(commit(), 0);
    EXPECT_THAT(io_.calls,
                ::testing::ElementsAre("write 0+3", "truncate 10000", "times", "fdatasync"));
    EXPECT_EQ(disk(), "abc" + std::string(9997, '\0'));
}

TEST_F(CommitTest, ACommitWithNothingToDoLetsCleanFilesGo) {
    write(0, "text");
    EXPECT_EQ(commit(), 0);
    file_->released(O_RDWR);
    EXPECT_EQ(journal_->status().files, 1U) << "enlisted while it could be mapped";
    journal_->hurry(); // as the timer does: commits only if there is anything to do
    const auto gone = [&] { return journal_->status().files == 0; };
    for (int tries = 0; tries < 10'000 && !gone(); ++tries) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_TRUE(gone());
    EXPECT_EQ(journal_->status().commits, 1U) << "no commit was made for it";
}

// Between a request's lookup of the file in the running transaction and its data, that transaction
// may commit without finding a change.
TEST_F(CommitTest, AFileWhoseChangeIsStillComingIsNotLetGo) {
    context_.settings.policy = FlushPolicy::ext3;
    join();
    {
        const Change change(*journal_, file_);
        EXPECT_EQ(commit(), 0);
        const std::string late = "late";
        ASSERT_TRUE(file_->write(ByteOffset{0}, std::as_bytes(std::span(late)),
                                 file::FileData::Via::page_cache, [] { return nullptr; }));
    }
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk(), "late");
    EXPECT_EQ(commit(), 0);
    EXPECT_FALSE(file_->joined()) << "a change that has come keeps nothing";
}

TEST_F(CommitTest, AWritepagePastTheEndOfTheDiskWritesWhatIsPendingBelowFirst) {
    write(0, std::string(4096, 'a'));
    ASSERT_TRUE(file_->truncate(ByteOffset{12'288}));
    cache_.store(8192, 4096, std::byte{'m'});
    ASSERT_TRUE(cache_.write_back(*file_, PageIndex{2}));
    EXPECT_EQ(io_.calls.front(), "write 0+4096") << "no size may cover bytes never written";
    EXPECT_EQ(disk(), std::string(4096, 'a') + std::string(4096, '\0') + std::string(4096, 'm'));
}

// A page was found stored into, and is then clean without a writepage (it was compared during a
// write(2), or is mapped read-only). A later write(2) to it must reach the disk, even if the kernel
// cannot be asked about the page.
TEST_F(CommitTest, AWriteIntoAPageOnceTakenForStoredIntoIsNotLeftBehind) {
    const auto take_for_stored_into = [&] {
        write(0, std::string(4096, 'a'));
        cache_.pages[PageIndex{0}].bytes.assign(4096, std::byte{'a'});
        cache_.store(10, 5, std::byte{'A'});
        EXPECT_EQ(commit(), 0);
        cache_.pages[PageIndex{0}].dirty = false;
        cache_.can_tell = false;
    };
    take_for_stored_into();
    write(0, "cached");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk().substr(0, 6), "cached");

    take_for_stored_into();
    cache_.pages.clear();
    write(0, "evicted");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk().substr(0, 7), "evicted");

    take_for_stored_into();
    cache_.gone = true;
    write(0, "unmounted");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk().substr(0, 9), "unmounted");
}

TEST_F(CommitTest, AFileIsFlushedWithTheKernelAsLongAsAPageOfItIsKnownDirty) {
    write(0, "aaaa");
    EXPECT_EQ(commit(), 0);
    write(0, "aaaa"); // makes a page that a commit could flush
    EXPECT_FALSE(file_->probe_begins().empty());
    file::PageSet found;
    found.append({model::PageIndex{0}, model::PageIndex{0}});
    EXPECT_EQ(file_->learn_dirty(found), 1U); // wrongly: the cache has nothing
    write(0, "bbbb");
    file_->released(O_RDWR);
    EXPECT_FALSE(file_->may_be_mapped());
    EXPECT_TRUE(file_->needs_kernel());
    EXPECT_EQ(journal_->flush_file(*file_), 0);
    EXPECT_EQ(disk(), "bbbb");
    EXPECT_FALSE(file_->needs_kernel());
    told_ = *file_->opened(O_RDWR);
    EXPECT_TRUE(file_->needs_kernel());
}

TEST_F(CommitTest, TheRecipeLosesAndTheLedgerSaysWhat) {
    write(0, std::string(4096, '0'));
    cache_.pages[PageIndex{0}].bytes.assign(4096, std::byte{'0'});
    cache_.store(10, 5, std::byte{'A'});
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk().substr(10, 5), "AAAAA");
    cache_.store(20, 5, std::byte{'B'});
    ASSERT_TRUE(cache_.write_back(*file_, PageIndex{0}));
    EXPECT_EQ(disk().substr(20, 5), "00000");
    EXPECT_THAT(file::text_of(ledger_), HasSubstr(R"("offset":20,"length":5,"cleaned_by":1)"));
    EXPECT_EQ(ledger_.counts().open, 1U);
    cache_.store(30, 1, std::byte{'C'});
    ASSERT_TRUE(cache_.write_back(*file_, PageIndex{0}));
    EXPECT_EQ(disk().substr(20, 11), "BBBBB00000C")
        << "an untouched-by-flush page is written whole";
    EXPECT_EQ(ledger_.counts().open, 0U) << "healed";
    EXPECT_EQ(ledger_.counts().healed, 1U);
}

TEST_F(CommitTest, TheDescriptorOfAFileThatNobodyHasOpenIsNotKept) {
    file::Context context{.io = io_,
                          .budget = budget_,
                          .ledger = ledger_,
                          .trace = trace_,
                          .settings = {.block_size = *model::BlockSize::from_bytes(1024),
                                       .contract = Contract::linux_2_6_19,
                                       .policy = FlushPolicy::eager,
                                       .reopens_any_file = true}};
    struct stat status{};
    ASSERT_EQ(::fstat(path_fd_.get(), &status), 0);
    file::FileData file(InodeId{3}, path_fd_, status, context);
    const auto descriptors = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
    };
    const auto before = descriptors();
    ASSERT_TRUE(file.opened(O_RDWR));
    const std::string text(3000, 'x');
    ASSERT_TRUE(file.write(ByteOffset{0}, std::as_bytes(std::span(text)),
                           file::FileData::Via::page_cache, [] { return nullptr; }));
    EXPECT_EQ(descriptors(), before + 1);
    file.released(O_RDWR);
    EXPECT_EQ(descriptors(), before);
    EXPECT_EQ(file.flush(cache_, {}, model::CommitId{1}).error, 0);
    EXPECT_EQ(descriptors(), before);
    ASSERT_TRUE(file.let_metadata_through());
    ASSERT_TRUE(file.sync(file::Durable::attributes));
    EXPECT_EQ(descriptors(), before);
    EXPECT_EQ(disk(), text);
}

TEST_F(CommitTest, ReadsOfThePageCacheAreInTheTrace) {
    std::array<std::byte, 100> bytes{};
    ASSERT_TRUE(file_->read(ByteOffset{0}, bytes, /*cached=*/false));
    EXPECT_THAT(trace_.latest(), ::testing::Not(HasSubstr(R"("event":"read")")));
    ASSERT_TRUE(file_->read(ByteOffset{0}, bytes, /*cached=*/true));
    EXPECT_THAT(trace_.latest(), HasSubstr(R"("event":"read","inode":2,"offset":0,"length":100})"));
}

TEST_F(CommitTest, WithTheFixNothingIsLost) {
    context_.settings.contract = Contract::linux_2_6_20;
    write(0, std::string(4096, '0'));
    cache_.pages[PageIndex{0}].bytes.assign(4096, std::byte{'0'});
    cache_.store(10, 5, std::byte{'A'});
    EXPECT_EQ(commit(), 0);
    cache_.store(20, 5, std::byte{'B'});
    ASSERT_TRUE(cache_.write_back(*file_, PageIndex{0}));
    EXPECT_EQ(disk().substr(20, 5), "BBBBB");
    EXPECT_EQ(ledger_.counts().recorded, 0U);
}

TEST_F(CommitTest, ACopyOlderThanAWritepageIsNotWritten) {
    ASSERT_TRUE(file_->truncate(ByteOffset{4096}));
    join();
    cache_.store(0, 4, std::byte{'1'});
    cache_.during_retrieve = [&] {
        cache_.during_retrieve = nullptr;
        cache_.store(0, 4, std::byte{'2'});
        ASSERT_TRUE(cache_.write_back(*file_, PageIndex{0}));
        write(100, "w"); // dirties the block again, but not these bytes
    };
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk().substr(0, 4), "2222") << "the retrieved copy said 1111";
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk().substr(0, 4), "2222");
    EXPECT_EQ(disk().substr(100, 1), "w");
}

TEST_F(CommitTest, AWriteDuringARetrieveIsNotLost) {
    ASSERT_TRUE(file_->truncate(ByteOffset{4096}));
    join();
    cache_.store(0, 4, std::byte{'1'});
    cache_.during_retrieve = [&] {
        cache_.during_retrieve = nullptr;
        write(2, "ww");
    };
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk().substr(0, 4), "11ww");
}

TEST_F(CommitTest, AStoreAfterAWriteToTheSameBytesWins) {
    cache_.pages[PageIndex{0}];
    write(0, "wwww");
    cache_.store(0, 2, std::byte{'s'});
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk().substr(0, 4), "ssww") << "the page, not the older buffer, is what counts";
}

TEST_F(CommitTest, WritersWaitForRoomAndGetIt) {
    std::uint64_t at = 0;
    const std::string piece(4096, 'x');
    while (file_->write(ByteOffset{at}, std::as_bytes(std::span(piece)),
                        file::FileData::Via::page_cache, [] { return nullptr; })) {
        at += 8192;
        ASSERT_LE(budget_.used(), budget_.limit());
    }
    join();
    EXPECT_EQ(commit(), 0);
    EXPECT_TRUE(file_->write(ByteOffset{at}, std::as_bytes(std::span(piece)),
                             file::FileData::Via::page_cache, [] { return nullptr; }));
    EXPECT_EQ(file_->size(), ByteOffset{at + 4096});
}

// A write larger than the limit, or held up by others, does not wait for ever.
TEST_F(CommitTest, AWriteThatGoesThroughIsTakenBeyondTheLimit) {
    const std::string much(2U << 20U, 'x'); // the limit is 1 MiB
    EXPECT_EQ(file_
                  ->write_through(ByteOffset{0}, std::as_bytes(std::span(much)),
                                  file::FileData::Via::page_cache)
                  .value(),
              much.size());
    EXPECT_EQ(disk(), much);
    join();
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(CommitTest, FlushedBlocksAreCountedOnceEachOverManyBatches) {
    const std::string text(std::size_t{100} * 1024, 'x');
    for (std::uint64_t at = 0; at < 8; ++at) {
        write(at * 400 * 1024, text); // 800 pages with holes between them
    }
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(context_.counters.blocks_flushed, 8 * text.size() / 1024);
}

TEST_F(CommitTest, StoppingCommitsALastTime) {
    write(0, "end");
    EXPECT_EQ(journal_->stop(), 0);
    EXPECT_EQ(disk(), "end");
    std::promise<int> done;
    journal_->commit([&](int error) { done.set_value(error); });
    EXPECT_EQ(done.get_future().get(), ENODEV);
}

TEST_F(CommitTest, PunchAndTruncateDropLossesAndDirtyData) {
    write(0, std::string(8192, '0'));
    cache_.pages[PageIndex{0}].bytes.assign(4096, std::byte{'0'});
    cache_.store(0, 4096, std::byte{'A'});
    EXPECT_EQ(commit(), 0);
    cache_.store(0, 4096, std::byte{'B'});
    ASSERT_TRUE(cache_.write_back(*file_, PageIndex{0}));
    EXPECT_EQ(ledger_.counts().open_bytes, 4096U);
    ASSERT_TRUE(file_->allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                {ByteOffset{1000}, ByteOffset{2000}}));
    EXPECT_EQ(ledger_.counts().open_bytes, 3096U);
    EXPECT_EQ(disk().substr(1000, 1000), std::string(1000, '\0'));
    ASSERT_TRUE(file_->truncate(ByteOffset{500}));
    EXPECT_EQ(ledger_.counts().open_bytes, 500U);
    file_->last_name_removed();
    EXPECT_EQ(ledger_.counts().open, 0U);
}

} // namespace
} // namespace partialfs::journal
