// Commits, writepages and what becomes of them when the backing files fail.
#include "fusefs/backing/faulty_io.hpp"
#include "fusefs/journal/journal.hpp"
#include "fusefs/journal/ledger_book.hpp"
#include "fusefs/trace/recorder.hpp"
#include "tests/unit/journal/simulated_cache.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <sstream>
#include <string>

namespace partialfs::journal {
namespace {

using model::ByteOffset;
using model::ByteRange;
using model::CommitId;
using model::Contract;
using model::FlushPolicy;
using model::InodeId;
using model::PageIndex;
using ::testing::HasSubstr;

/// Counts what reaches the backing file, in order.
class WatchedIo final : public backing::FileIo {
  public:
    backing::FaultyIo faults;
    std::vector<std::string> calls;

    [[nodiscard]] bool may_read_directly() const override { return false; }
    ssize_t pread(int fd, void* data, std::size_t size, off_t offset) override {
        return faults.pread(fd, data, size, offset);
    }
    ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) override {
        const ssize_t put = faults.pwritev(fd, parts, count, offset);
        calls.push_back("write " + std::to_string(offset) + "+" + std::to_string(put));
        return put;
    }
    int fdatasync(int fd) override {
        calls.emplace_back("fdatasync");
        return faults.fdatasync(fd);
    }
    int fsync(int fd) override {
        calls.emplace_back("fsync");
        return faults.fsync(fd);
    }
    int ftruncate(int fd, off_t size) override {
        calls.push_back("truncate " + std::to_string(size));
        return faults.ftruncate(fd, size);
    }
    int fallocate(int fd, int mode, off_t offset, off_t length) override {
        return faults.fallocate(fd, mode, offset, length);
    }
    int futimens(int fd, const timespec times[2]) override {
        calls.emplace_back("times");
        return faults.futimens(fd, times);
    }
};

class CommitTest : public ::testing::Test {
  protected:
    CommitTest()
        : directory_(std::filesystem::temp_directory_path() /
                     ("partialfs-commit-" + std::to_string(::getpid()))),
          context_{.io = io_,
                   .block_size = *model::BlockSize::from_bytes(1024),
                   .budget = budget_,
                   .ledger = ledger_,
                   .trace = trace_,
                   .contract = Contract::linux_2_6_19,
                   .policy = FlushPolicy::eager} {
        std::filesystem::create_directories(directory_);
        std::ofstream(directory_ / "file").flush();
        path_fd_ = *backing::Fd::open(AT_FDCWD, (directory_ / "file").c_str(), O_PATH);
        struct stat status{};
        EXPECT_EQ(::fstat(path_fd_.get(), &status), 0);
        file_ = std::make_shared<FileData>(InodeId{2}, path_fd_, status, context_);
        told_ = *file_->opened(O_RDWR);
        journal_.emplace(context_, cache_, Journal::Options{.interval = {}});
        journal_->start();
    }
    ~CommitTest() override {
        journal_.reset();
        file_.reset();
        std::filesystem::remove_all(directory_);
    }

    void write(std::uint64_t offset, const std::string& text) {
        ASSERT_TRUE(file_->write(ByteOffset{offset}, std::as_bytes(std::span(text)),
                                 [] { return nullptr; }));
        for (std::size_t i = 0; i < text.size(); ++i) { // as the kernel does with cached pages
            const auto page = cache_.pages.find(PageIndex{(offset + i) / model::kPageSize});
            if (page != cache_.pages.end()) {
                page->second.bytes[(offset + i) % model::kPageSize] =
                    static_cast<std::byte>(text[i]);
            }
        }
        if (file_->enlist_once()) {
            journal_->enlist(file_);
        }
    }
    int commit() {
        std::promise<int> done;
        journal_->commit([&](int error) { done.set_value(error); });
        return done.get_future().get();
    }
    int fsync() {
        if (file_->enlist_once()) {
            journal_->enlist(file_);
        }
        std::promise<int> done;
        journal_->fsync(file_, false, [&](int error) { done.set_value(error); });
        return done.get_future().get();
    }
    [[nodiscard]] std::string disk() const {
        std::ostringstream contents;
        contents << std::ifstream(directory_ / "file", std::ios::binary).rdbuf();
        return contents.str();
    }
    void fail(const std::string& rules) {
        io_.faults.set_rules(*backing::parse_fault_rules(rules));
    }
    void enlist_mapped() {
        if (file_->enlist_once()) {
            journal_->enlist(file_);
        }
    }

    std::filesystem::path directory_;
    WatchedIo io_;
    BufferBudget budget_{1U << 20U};
    LedgerBook ledger_;
    trace::Recorder trace_{*model::BlockSize::from_bytes(1024)};
    Context context_;
    SimulatedCache cache_;
    backing::Fd path_fd_;
    std::shared_ptr<FileData> file_;
    ErrorSequence::Position told_ = 0;
    std::optional<Journal> journal_;
};

TEST_F(CommitTest, NothingReachesTheDiskBeforeACommitAndThenInOrder) {
    write(8192, std::string(4096, 'c'));
    write(0, std::string(4096, 'a'));
    write(5000, "bb");
    EXPECT_EQ(disk(), "");
    EXPECT_EQ(file_->size(), ByteOffset{12288});
    struct stat status{};
    ASSERT_EQ(::fstat(path_fd_.get(), &status), 0);
    file_->adjust(status);
    EXPECT_EQ(status.st_size, 12288);
    EXPECT_EQ(commit(), 0);
    EXPECT_THAT(io_.calls, ::testing::ElementsAre("write 0+4096", "write 5000+2", "write 8192+4096",
                                                  "fdatasync", "times"))
        << "data in ascending order, then the sync, then the metadata";
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
                ::testing::ElementsAre("write 0+3", "fdatasync", "truncate 10000", "times"));
    EXPECT_EQ(disk(), "abc" + std::string(9997, '\0'));
}

TEST_F(CommitTest, AWritepagePastTheEndOfTheDiskWritesWhatIsPendingBelowFirst) {
    write(0, std::string(4096, 'a'));
    ASSERT_TRUE(file_->truncate(ByteOffset{12'288}));
    cache_.store(8192, 4096, std::byte{'m'});
    ASSERT_TRUE(cache_.write_back(*file_, PageIndex{2}));
    EXPECT_EQ(io_.calls.front(), "write 0+4096") << "no size may cover bytes never written";
    EXPECT_EQ(disk(), std::string(4096, 'a') + std::string(4096, '\0') + std::string(4096, 'm'));
}

// A page was taken for stored into, and is not dirty any more without a writepage having told so
// (compared while a write(2) was on its way, or read-only mapped). What write(2) puts into it later
// reaches the disk all the same, also where the kernel cannot be asked about a page.
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

TEST_F(CommitTest, TheRecipeLosesAndTheLedgerSaysWhat) {
    write(0, std::string(4096, '0'));
    cache_.pages[PageIndex{0}].bytes.assign(4096, std::byte{'0'});
    cache_.store(10, 5, std::byte{'A'});
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk().substr(10, 5), "AAAAA");
    cache_.store(20, 5, std::byte{'B'});
    ASSERT_TRUE(cache_.write_back(*file_, PageIndex{0}));
    EXPECT_EQ(disk().substr(20, 5), "00000");
    EXPECT_THAT(ledger_.lines(), HasSubstr(R"("offset":20,"length":5,"cleaned_by":1)"));
    EXPECT_EQ(ledger_.counts().open, 1U);
    cache_.store(30, 1, std::byte{'C'});
    ASSERT_TRUE(cache_.write_back(*file_, PageIndex{0}));
    EXPECT_EQ(disk().substr(20, 11), "BBBBB00000C")
        << "an untouched-by-flush page is written whole";
    EXPECT_EQ(ledger_.counts().open, 0U) << "healed";
    EXPECT_EQ(ledger_.counts().healed, 1U);
}

TEST_F(CommitTest, WhatCannotBeComparedWithTheDiskCountsAsLost) {
    write(0, std::string(4096, '0'));
    cache_.pages[PageIndex{0}].bytes.assign(4096, std::byte{'0'});
    cache_.store(10, 5, std::byte{'A'});
    EXPECT_EQ(commit(), 0);
    cache_.store(20, 5, std::byte{'B'});
    fail("pread EIO");
    ASSERT_TRUE(cache_.write_back(*file_, PageIndex{0}));
    EXPECT_THAT(ledger_.lines(), HasSubstr(R"("block":0,"offset":0,"length":1024,"cleaned_by":1)"));
    EXPECT_EQ(ledger_.counts().open, 4U) << "every block that was passed over";
    EXPECT_THAT(trace_.latest(),
                HasSubstr(R"("event":"unverified","inode":2,"page":0,"skipped":"1111","errno":5)"));
}

TEST_F(CommitTest, TheDescriptorOfAFileThatNobodyHasOpenIsNotKept) {
    Context context{.io = io_,
                    .block_size = *model::BlockSize::from_bytes(1024),
                    .budget = budget_,
                    .ledger = ledger_,
                    .trace = trace_,
                    .contract = Contract::linux_2_6_19,
                    .policy = FlushPolicy::eager,
                    .reopens_any_file = true};
    struct stat status{};
    ASSERT_EQ(::fstat(path_fd_.get(), &status), 0);
    FileData file(InodeId{3}, path_fd_, status, context);
    const auto descriptors = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
    };
    const auto before = descriptors();
    ASSERT_TRUE(file.opened(O_RDWR));
    const std::string text(3000, 'x');
    ASSERT_TRUE(file.write(ByteOffset{0}, std::as_bytes(std::span(text)), [] { return nullptr; }));
    EXPECT_EQ(descriptors(), before + 1);
    file.released(O_RDWR);
    EXPECT_EQ(descriptors(), before);
    EXPECT_EQ(file.flush(cache_, {}, model::CommitId{1}).error, 0);
    EXPECT_EQ(descriptors(), before);
    ASSERT_TRUE(file.sync_data());
    ASSERT_TRUE(file.let_metadata_through(true));
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
    context_.contract = Contract::linux_2_6_20;
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
    enlist_mapped();
    cache_.store(0, 4, std::byte{'1'});
    cache_.during_retrieve = [&] {
        cache_.during_retrieve = nullptr;
        cache_.store(0, 4, std::byte{'2'});
        ASSERT_TRUE(cache_.write_back(*file_, PageIndex{0}));
        write(100, "w"); // dirties the block again, but not those bytes
    };
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk().substr(0, 4), "2222") << "the retrieved copy said 1111";
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk().substr(0, 4), "2222");
    EXPECT_EQ(disk().substr(100, 1), "w");
}

TEST_F(CommitTest, AWriteDuringARetrieveIsNotLost) {
    ASSERT_TRUE(file_->truncate(ByteOffset{4096}));
    enlist_mapped();
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

TEST_F(CommitTest, ANoSpaceKeepsTheDataTellsOnceAndIsTriedAgain) {
    write(0, std::string(3000, 'x'));
    fail("pwrite ENOSPC");
    EXPECT_EQ(fsync(), ENOSPC);
    EXPECT_EQ(file_->check_error(told_), ENOSPC);
    EXPECT_EQ(file_->check_error(told_), 0) << "once per description";
    EXPECT_EQ(std::filesystem::file_size(directory_ / "file"), 0U);
    std::array<std::byte, 3000> seen{};
    EXPECT_EQ(file_->read(ByteOffset{0}, seen, true), 3000U) << "readers see it all the while";
    EXPECT_EQ(seen[2999], std::byte{'x'});
    fail("");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk(), std::string(3000, 'x'));
}

TEST_F(CommitTest, AShortWriteIsGoneOnWith) {
    write(0, std::string(5000, 'x'));
    fail("pwrite short=512");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk(), std::string(5000, 'x'));
}

TEST_F(CommitTest, AFailedSyncMakesTheBlocksDirtyAgain) {
    write(0, std::string(3000, 'x'));
    cache_.store(4096, 100, std::byte{'m'});
    ASSERT_TRUE(file_->truncate(ByteOffset{8192}));
    fail("fdatasync EIO count=1");
    EXPECT_EQ(commit(), EIO);
    EXPECT_GT(budget_.used(), 0U) << "the bytes are kept until they are synced";
    io_.calls.clear();
    EXPECT_EQ(commit(), 0);
    EXPECT_THAT(io_.calls, ::testing::Contains("write 0+3000"));
    EXPECT_THAT(io_.calls, ::testing::Contains("write 4096+4096"));
    EXPECT_EQ(budget_.used(), 0U);
    EXPECT_EQ(file_->check_error(told_), EIO);
}

TEST_F(CommitTest, AFailedWritepageKeepsThePageAndTellsTheApplication) {
    ASSERT_TRUE(file_->truncate(ByteOffset{4096}));
    enlist_mapped();
    cache_.store(0, 4096, std::byte{'m'});
    fail("pwrite EIO");
    EXPECT_TRUE(cache_.write_back(*file_, PageIndex{0})) << "the daemon has the bytes: no loss";
    EXPECT_EQ(file_->check_error(told_), EIO);
    fail("");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk(), std::string(4096, 'm'));
    EXPECT_EQ(ledger_.counts().recorded, 0U);
}

TEST_F(CommitTest, WritersWaitForRoomAndGetIt) {
    std::uint64_t at = 0;
    const std::string piece(4096, 'x');
    while (file_->write(ByteOffset{at}, std::as_bytes(std::span(piece)), [] { return nullptr; })) {
        at += 8192;
        ASSERT_LE(budget_.used(), budget_.limit());
    }
    enlist_mapped();
    std::promise<int> done;
    journal_->write_when_room(
        [&] {
            const bool through = file_->write(ByteOffset{at}, std::as_bytes(std::span(piece)),
                                              [] { return nullptr; });
            if (through) {
                done.set_value(0);
            }
            return through;
        },
        [&](int error) { done.set_value(error); });
    EXPECT_EQ(done.get_future().get(), 0);
    EXPECT_EQ(file_->size(), ByteOffset{at + 4096});
}

TEST_F(CommitTest, WritersAreToldWhenThereCanBeNoRoom) {
    fail("pwrite ENOSPC");
    std::uint64_t at = 0;
    const std::string piece(4096, 'x');
    while (file_->write(ByteOffset{at}, std::as_bytes(std::span(piece)), [] { return nullptr; })) {
        at += 8192;
    }
    enlist_mapped();
    std::promise<int> done;
    journal_->write_when_room(
        [&] {
            return file_->write(ByteOffset{at}, std::as_bytes(std::span(piece)),
                                [] { return nullptr; });
        },
        [&](int error) { done.set_value(error); });
    EXPECT_EQ(done.get_future().get(), ENOSPC);
}

TEST_F(CommitTest, Ext3FsyncOfAnUnchangedFileCommitsNothing) {
    context_.policy = FlushPolicy::ext3;
    write(0, std::string(4096, 'a'));
    EXPECT_EQ(fsync(), 0);
    const std::uint64_t commits = journal_->status().commits;
    EXPECT_EQ(fsync(), 0);
    EXPECT_EQ(journal_->status().commits, commits);
    file_->attributes_changed();
    EXPECT_EQ(fsync(), 0);
    EXPECT_EQ(journal_->status().commits, commits + 1) << "fchmod makes the commit certain";
}

TEST_F(CommitTest, FlushedBlocksAreCountedOnceEachOverManyBatches) {
    const std::string text(std::size_t{100} * 1024, 'x');
    for (std::uint64_t at = 0; at < 8; ++at) {
        write(at * 400 * 1024, text); // 800 pages with holes between them
    }
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(context_.blocks_flushed, 8 * text.size() / 1024);
}

TEST_F(CommitTest, ACommitFailsIfPagesKnownDirtyCannotBeFetched) {
    write(0, std::string(4096, '0'));
    cache_.pages[PageIndex{0}].bytes.assign(4096, std::byte{'0'});
    cache_.store(10, 5, std::byte{'A'});
    cache_.retrieve_error = EIO;
    EXPECT_EQ(commit(), EIO);
    cache_.retrieve_error = 0;
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk().substr(10, 5), "AAAAA");
}

TEST_F(CommitTest, ACommitFailsIfItCannotLookForMappedStores) {
    enlist_mapped();
    cache_.probe_error = ETIMEDOUT;
    EXPECT_EQ(commit(), ETIMEDOUT);
    cache_.probe_error = ENOENT; // the kernel has forgotten the inode: there is nothing to see
    EXPECT_EQ(commit(), 0);
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
