// A commit of many files: they are synced together if their filesystem can do that.
#include "tests/unit/journal/commit_fixture.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <vector>

namespace partialfs::journal {
namespace {

using model::ByteOffset;

class CommitMany : public CommitTest {
  protected:
    void sync_together() {
        struct stat status{};
        ASSERT_EQ(::fstat(path_fd_.get(), &status), 0);
        context_.whole_filesystem = {*base::Fd::open(AT_FDCWD, directory_.path().c_str(), O_RDONLY),
                                     status.st_dev};
    }
    /// Writes "text" to `count` new files.
    void write_files(std::size_t count) {
        const std::size_t before = files_.size();
        for (std::size_t i = before; i < before + count; ++i) {
            const std::string name = directory_ / std::to_string(i);
            std::ofstream(name).flush();
            path_fds_.push_back(
                std::make_unique<base::Fd>(*base::Fd::open(AT_FDCWD, name.c_str(), O_PATH)));
            struct stat status{};
            ASSERT_EQ(::fstat(path_fds_.back()->get(), &status), 0);
            files_.push_back(std::make_shared<file::FileData>(model::InodeId{100 + i},
                                                              *path_fds_.back(), status, context_));
            told_of_.push_back(*files_.back()->opened(O_RDWR));
            const std::string text = "text";
            ASSERT_TRUE(files_.back()->write(ByteOffset{0}, std::as_bytes(std::span(text)),
                                             file::FileData::Via::page_cache,
                                             [] { return nullptr; }));
            journal_->join(files_.back());
        }
    }
    [[nodiscard]] std::ptrdiff_t calls(const std::string& name) const {
        return std::ranges::count(io_.calls, name);
    }
    [[nodiscard]] int error_of(std::size_t file) {
        return files_[file]->check_error(told_of_[file], file::FileData::ErrorAt::sync);
    }
    ~CommitMany() override {
        journal_.reset();
        files_.clear();
    }

    std::vector<std::unique_ptr<base::Fd>> path_fds_;
    std::vector<std::shared_ptr<file::FileData>> files_;
    std::vector<file::ErrorSequence::Position> told_of_;
};

TEST_F(CommitMany, FilesAreSyncedTogether) {
    sync_together();
    write_files(40);
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(calls("syncfs"), 1);
    EXPECT_EQ(calls("fdatasync"), 1) << "for the disk's cache";
    const auto sync = std::ranges::find(io_.calls, "syncfs");
    EXPECT_EQ(std::count(io_.calls.begin(), sync, "write 0+4"), 40) << "all data comes first";
    EXPECT_EQ(std::count(io_.calls.begin(), sync, "times"), 40) << "and the metadata";
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(calls("syncfs"), 1) << "there is nothing left to sync";
    EXPECT_FALSE(journal_->gauge().dirty);
    EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(CommitMany, AFewFilesAreSyncedOneByOne) {
    sync_together();
    write_files(3);
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(calls("syncfs"), 0);
    EXPECT_EQ(calls("fdatasync"), 3);
}

TEST_F(CommitMany, WhereTheFilesystemCannotFilesAreSyncedOneByOne) {
    write_files(40);
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(calls("syncfs"), 0);
    EXPECT_EQ(calls("fdatasync"), 40);
}

TEST_F(CommitMany, AnErrorOfTheFilesystemIsToldToTheFileItIsOf) {
    sync_together();
    write_files(40);
    fail("syncfs EIO\nfdatasync EIO name=7");
    EXPECT_EQ(commit(), EIO);
    EXPECT_EQ(calls("fdatasync"), 40);
    for (std::size_t i = 0; i < files_.size(); ++i) {
        EXPECT_EQ(error_of(i), i == 7 ? EIO : 0) << i;
    }
    fail("");
    EXPECT_EQ(commit(), 0) << "it is tried again";
    EXPECT_EQ(error_of(7), 0);
    EXPECT_FALSE(journal_->gauge().dirty);
}

// The error of a syncfs(2) may belong to a file whose data came after the commit began, and is
// reported only once.
TEST_F(CommitMany, AfterAnErrorFilesAreSyncedOneByOne) {
    sync_together();
    write_files(40);
    fail("syncfs EIO count=1");
    EXPECT_EQ(commit(), 0);
    write_files(40);
    io_.calls.clear();
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(calls("syncfs"), 0);
    EXPECT_EQ(calls("fdatasync"), 40);
}

TEST_F(CommitMany, AnErrorOfTheLastFileIsToldAndTheOthersAreAsked) {
    sync_together();
    write_files(40);
    fail("fdatasync EIO count=1");
    EXPECT_EQ(commit(), EIO);
    EXPECT_EQ(calls("syncfs"), 1);
    EXPECT_GE(calls("fdatasync"), 40);
    for (std::size_t i = 0; i < files_.size(); ++i) {
        EXPECT_EQ(error_of(i), i == 39 ? EIO : 0) << i;
    }
    EXPECT_EQ(commit(), 0);
    EXPECT_FALSE(journal_->gauge().dirty);
}

TEST_F(CommitMany, AnErrorOfSomebodyElsesFileIsNobodysHere) {
    sync_together();
    write_files(40);
    fail("syncfs EIO");
    EXPECT_EQ(commit(), 0);
    EXPECT_EQ(calls("fdatasync"), 40);
    for (std::size_t i = 0; i < files_.size(); ++i) {
        EXPECT_EQ(error_of(i), 0) << i;
    }
}

} // namespace
} // namespace partialfs::journal
