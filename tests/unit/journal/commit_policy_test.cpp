// What an fsync commits and makes durable, and which pages each flush policy looks at and flushes.
#include "tests/unit/journal/commit_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <future>
#include <string>

namespace partialfs::journal {
namespace {

using model::ByteOffset;
using model::FlushPolicy;
using model::PageIndex;

// What an fsync or fdatasync after each operation must make durable.
TEST_F(CommitTest, FsyncMakesDurableWhatEachOperationChanged) {
    context_.settings.policy = FlushPolicy::ext3;
    const auto fdatasync = [&] {
        std::promise<int> done;
        journal_->fsync(file_, /*data_only=*/true, [&](int error) { done.set_value(error); });
        return done.get_future().get();
    };
    const auto last_call = [&] { return io_.calls.empty() ? std::string() : io_.calls.back(); };
    EXPECT_EQ(fsync(), 0);
    EXPECT_EQ(last_call(), "fsync") << "a file that may just have been created";
    io_.calls.clear();
    EXPECT_EQ(fsync(), 0);
    EXPECT_EQ(last_call(), "") << "nothing has changed";

    ASSERT_TRUE(file_->truncate(ByteOffset{10'000}));
    EXPECT_EQ(fdatasync(), 0);
    EXPECT_EQ(last_call(), "fdatasync") << "ftruncate";
    write(0, "text");
    ASSERT_TRUE(file_->truncate(ByteOffset{20'000}));
    EXPECT_EQ(fdatasync(), 0);
    EXPECT_EQ(last_call(), "fdatasync") << "ftruncate up, of a file with data held back";
    EXPECT_THAT(io_.calls, ::testing::Contains("truncate 20000"));
    ASSERT_TRUE(file_->truncate(ByteOffset{100}));
    EXPECT_EQ(fdatasync(), 0);
    EXPECT_EQ(last_call(), "fdatasync") << "ftruncate down";
    ASSERT_TRUE(file_->allocate(0, {ByteOffset{0}, ByteOffset{30'000}}));
    EXPECT_EQ(fdatasync(), 0);
    EXPECT_EQ(last_call(), "fdatasync") << "fallocate";
    file_->attributes_changed();
    io_.calls.clear();
    EXPECT_EQ(fdatasync(), 0);
    EXPECT_EQ(fsync(), 0);
    EXPECT_EQ(last_call(), "fsync") << "chmod, link, setxattr";
}

TEST_F(CommitTest, Ext3LooksOnlyAtPagesThatItCouldFlush) {
    context_.settings.policy = FlushPolicy::ext3;
    for (std::uint64_t page = 0; page < 100; ++page) {
        cache_.store(page * 4096, 10, std::byte{'m'}); // mapped stores only
    }
    ASSERT_TRUE(file_->truncate(ByteOffset{409'600}));
    write(4096 * 7, "w");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(cache_.looked_at, 1U);
    EXPECT_EQ(disk().substr(4096 * 7, 2), "wm") << "the store in the same block goes with it";
    EXPECT_EQ(disk()[4096 * 8], '\0');
}

TEST_F(CommitTest, WritebackFlushesNoMappedPageAndLosesNothing) {
    context_.settings.policy = FlushPolicy::writeback;
    write(0, std::string(4096, '0'));
    cache_.pages[PageIndex{0}].bytes.assign(4096, std::byte{'0'});
    cache_.store(10, 5, std::byte{'A'});
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(disk(), std::string(4096, '0')) << "what write(2) brought, and no store";
    EXPECT_EQ(cache_.looked_at, 0U);
    cache_.store(20, 5, std::byte{'B'});
    ASSERT_TRUE(cache_.write_back(*file_, PageIndex{0}));
    EXPECT_EQ(disk().substr(10, 15), "AAAAA00000BBBBB");
    EXPECT_EQ(ledger_.counts().recorded, 0U);
}

TEST_F(CommitTest, Ext3FsyncOfAnUnchangedFileCommitsNothing) {
    context_.settings.policy = FlushPolicy::ext3;
    write(0, std::string(4096, 'a'));
    EXPECT_EQ(fsync(), 0);
    const std::uint64_t commits = journal_->status().commits;
    EXPECT_EQ(fsync(), 0);
    EXPECT_EQ(journal_->status().commits, commits);
    file_->attributes_changed();
    EXPECT_EQ(fsync(), 0);
    EXPECT_EQ(journal_->status().commits, commits + 1) << "fchmod makes the commit certain";
}
} // namespace
} // namespace partialfs::journal
