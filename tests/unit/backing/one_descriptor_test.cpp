#include "fusefs/backing/one_descriptor.hpp"
#include "tests/temporary_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace partialfs::backing {
namespace {

using base::Fd;

class OneDescriptorTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::ofstream(path_) << "text";
        path_fd_ = *Fd::open(AT_FDCWD, path_.c_str(), O_PATH);
    }
    [[nodiscard]] Fd open(int flags) const { return *base::reopen(path_fd_, flags); }
    [[nodiscard]] int flags() const {
        return ::fcntl(path_fd_.get(), F_GETFL) & (O_PATH | O_ACCMODE);
    }
    [[nodiscard]] bool closes_at_exec() const {
        return (::fcntl(path_fd_.get(), F_GETFD) & FD_CLOEXEC) != 0;
    }

    testing::TemporaryDirectory temporary_;
    std::filesystem::path path_ = temporary_ / "file";
    Fd path_fd_;
};

TEST_F(OneDescriptorTest, ThereAreTwoWhileThereIsPlenty) {
    OneDescriptor one(path_fd_);
    Fd opened = open(O_RDONLY);
    const int number = opened.get();
    const auto handle = one.keep(std::move(opened), number + 1);
    EXPECT_EQ(handle->get(), number);
    EXPECT_EQ(flags(), O_PATH);
}

TEST_F(OneDescriptorTest, OneStandsForTheOpenFileWhereTheyAreShort) {
    OneDescriptor one(path_fd_);
    const int before = ::dup(0); // the lowest free number
    ::close(before);
    {
        const auto handle = one.keep(open(O_RDWR), 0);
        EXPECT_EQ(handle->get(), path_fd_.get());
        EXPECT_EQ(flags(), O_RDWR);
        EXPECT_TRUE(closes_at_exec());
        EXPECT_EQ(::pwrite(handle->get(), "TEXT", 4, 0), 4);
        const int after = ::dup(0);
        EXPECT_EQ(after, before) << "and no other";
        ::close(after);
    }
    EXPECT_EQ(flags(), O_PATH) << "as it was";
    EXPECT_TRUE(closes_at_exec());
}

TEST_F(OneDescriptorTest, TheLastHandleToGoClosesWhateverTheOrder) {
    OneDescriptor one(path_fd_);
    auto reading = one.keep(open(O_RDONLY), 0);
    auto writing = one.keep(open(O_RDWR), 0);
    EXPECT_EQ(flags(), O_RDWR);
    reading.reset();
    EXPECT_EQ(flags(), O_RDWR) << "the later one is still open";
    EXPECT_EQ(::pwrite(writing->get(), "TEXT", 4, 0), 4);
    const auto again = writing;
    writing.reset();
    EXPECT_EQ(flags(), O_RDWR);
}

TEST_F(OneDescriptorTest, AHandleMayOutliveIt) {
    std::shared_ptr<const Fd> handle;
    {
        OneDescriptor one(path_fd_);
        handle = one.keep(open(O_RDWR), 0);
    }
    EXPECT_EQ(flags(), O_RDWR);
    handle.reset();
    EXPECT_EQ(flags(), O_PATH);
}

} // namespace
} // namespace partialfs::backing
