// What happens to commits and writepages when the backing file or the kernel reports an error.
#include "tests/unit/journal/commit_fixture.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <future>
#include <new>
#include <string>

namespace partialfs::journal {
namespace {

using model::ByteOffset;
using model::PageIndex;
using ::testing::HasSubstr;

using CommitErrors = CommitTest;

TEST_F(CommitErrors, WhatCannotBeComparedWithTheDiskCountsAsLost) {
    write(0, std::string(4096, '0'));
    cache_.pages[PageIndex{0}].bytes.assign(4096, std::byte{'0'});
    cache_.store(10, 5, std::byte{'A'});
    EXPECT_EQ(commit(), 0);
    cache_.store(20, 5, std::byte{'B'});
    fail("pread EIO");
    ASSERT_TRUE(cache_.write_back(*file_, PageIndex{0}));
    EXPECT_THAT(file::text_of(ledger_),
                HasSubstr(R"("block":0,"offset":0,"length":1024,"cleaned_by":1)"));
    EXPECT_EQ(ledger_.counts().open, 4U) << "every block that was passed over";
    EXPECT_THAT(trace_.latest(),
                HasSubstr(R"("event":"unverified","inode":2,"page":0,"skipped":"1111","errno":5)"));
}

TEST_F(CommitErrors, ANoSpaceKeepsTheDataTellsOnceAndIsTriedAgain) {
    write(0, std::string(3000, 'x'));
    fail("pwrite ENOSPC");
    EXPECT_EQ(fsync(), ENOSPC);
    EXPECT_EQ(file_->check_error(told_, file::FileData::ErrorAt::sync), ENOSPC);
    EXPECT_EQ(file_->check_error(told_, file::FileData::ErrorAt::sync), 0)
        << "once per description";
    EXPECT_EQ(std::filesystem::file_size(directory_ / "file"), 0U);
    std::array<std::byte, 3000> seen{};
    EXPECT_EQ(file_->read(ByteOffset{0}, seen, true), 3000U) << "readers see it all the while";
    EXPECT_EQ(seen[2999], std::byte{'x'});
    fail("");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk(), std::string(3000, 'x'));
}

TEST_F(CommitErrors, WantOfMemoryKeepsTheDataAndIsToldAsAnyOtherFailure) {
    write(0, std::string(3000, 'x'));
    fail("pwrite bad_alloc");
    EXPECT_EQ(commit(), ENOMEM);
    EXPECT_EQ(file_->check_error(told_, file::FileData::ErrorAt::sync), ENOMEM);
    EXPECT_EQ(file_->check_error(told_, file::FileData::ErrorAt::sync), 0);
    fail("");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk(), std::string(3000, 'x'));
    EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(CommitErrors, AFailureThatRepeatsItselfIsToldOnceUntilItEnds) {
    write(0, std::string(3000, 'x'));
    fail("pwrite EIO");
    EXPECT_EQ(commit(), EIO);
    EXPECT_EQ(file_->check_error(told_, file::FileData::ErrorAt::sync), EIO);
    EXPECT_EQ(commit(), EIO);
    EXPECT_EQ(file_->check_error(told_, file::FileData::ErrorAt::sync), 0)
        << "nobody has asked for this file";
    EXPECT_EQ(fsync(), EIO);
    EXPECT_EQ(file_->check_error(told_, file::FileData::ErrorAt::sync), EIO);
    fail("");
    EXPECT_EQ(commit(), 0);
    write(0, "y");
    fail("pwrite EIO");
    EXPECT_EQ(commit(), EIO);
    EXPECT_EQ(file_->check_error(told_, file::FileData::ErrorAt::sync), EIO) << "a new one";
}

TEST_F(CommitErrors, AShortWriteIsGoneOnWith) {
    write(0, std::string(5000, 'x'));
    fail("pwrite short=512");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk(), std::string(5000, 'x'));
}

TEST_F(CommitErrors, AFailedSyncMakesTheBlocksDirtyAgain) {
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
    EXPECT_EQ(file_->check_error(told_, file::FileData::ErrorAt::sync), EIO);
}

TEST_F(CommitErrors, AFailedWritepageKeepsThePageAndTellsTheApplication) {
    ASSERT_TRUE(file_->truncate(ByteOffset{4096}));
    join();
    cache_.store(0, 4096, std::byte{'m'});
    fail("pwrite EIO");
    EXPECT_TRUE(cache_.write_back(*file_, PageIndex{0})) << "the daemon has the bytes: no loss";
    EXPECT_EQ(file_->check_error(told_, file::FileData::ErrorAt::sync), EIO);
    fail("");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk(), std::string(4096, 'm'));
    EXPECT_EQ(ledger_.counts().recorded, 0U);
}

TEST_F(CommitErrors, AWritepageThatWantsMemoryKeepsThePageAndTellsTheApplication) {
    ASSERT_TRUE(file_->truncate(ByteOffset{4096}));
    write(0, "write(2) has brought this"); // replaced by the page's bytes
    cache_.store(0, 4096, std::byte{'m'});
    fail("pwrite bad_alloc");
    EXPECT_TRUE(cache_.write_back(*file_, PageIndex{0})) << "the daemon has the bytes: no loss";
    EXPECT_EQ(file_->check_error(told_, file::FileData::ErrorAt::sync), ENOMEM);
    fail("");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk(), std::string(4096, 'm'));
    EXPECT_EQ(budget_.used(), 0U);
    EXPECT_FALSE(journal_->gauge().dirty);
}

// A sync that failed before its system call has synced nothing.
TEST_F(CommitErrors, ASyncThatThrowsIsDoneAgain) {
    write(0, "text");
    fail("fdatasync bad_alloc count=1");
    EXPECT_EQ(commit(), ENOMEM);
    io_.calls.clear();
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(std::ranges::count(io_.calls, "fdatasync"), 1);
}

TEST_F(CommitErrors, AWriteThatGoesThroughHearsWhatTheDiskSays) {
    const std::string piece(8192, 'x');
    fail("pwrite ENOSPC");
    const auto refused = file_->write_through(ByteOffset{0}, std::as_bytes(std::span(piece)),
                                              file::FileData::Via::page_cache);
    EXPECT_EQ(refused.error().value, ENOSPC);
    EXPECT_EQ(file_->size(), ByteOffset{0}) << "nothing has happened";
    EXPECT_FALSE(journal_->gauge().dirty);
    fail("");
    const auto taken = file_->write_through(ByteOffset{0}, std::as_bytes(std::span(piece)),
                                            file::FileData::Via::page_cache);
    EXPECT_EQ(taken.value(), piece.size());
    EXPECT_EQ(disk(), piece);
    EXPECT_EQ(file_->size(), ByteOffset{8192});
}

TEST_F(CommitErrors, ACommitFailsIfPagesKnownDirtyCannotBeFetched) {
    write(0, std::string(4096, '0'));
    cache_.pages[PageIndex{0}].bytes.assign(4096, std::byte{'0'});
    cache_.store(10, 5, std::byte{'A'});
    cache_.retrieve_error = EIO;
    EXPECT_EQ(commit(), EIO);
    cache_.retrieve_error = 0;
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk().substr(10, 5), "AAAAA");
}

TEST_F(CommitErrors, ACommitFailsIfItCannotLookForMappedStores) {
    ASSERT_TRUE(file_->truncate(ByteOffset{4096}));
    join();
    cache_.probe_error = ETIMEDOUT;
    EXPECT_EQ(commit(), ETIMEDOUT);
    cache_.probe_error = ENOENT; // the kernel has forgotten the inode: no pages to look at
    EXPECT_EQ(commit(), 0);
}

} // namespace
} // namespace partialfs::journal
