#include "fusefs/base/fd.hpp"
#include "fusefs/file/unsynced_writes.hpp"
#include "tests/temporary_directory.hpp"
#include "tests/unit/file/watched_io.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/uio.h>

#include <string>
#include <vector>

namespace partialfs::file {
namespace {

using model::ByteOffset;
using model::ByteRange;

constexpr ByteRange range(std::uint64_t begin, std::uint64_t end) {
    return {ByteOffset{begin}, ByteOffset{end}};
}

class UnsyncedWritesTest : public ::testing::Test {
  protected:
    UnsyncedWritesTest()
        : file_(*base::Fd::open(AT_FDCWD, (directory_ / "file").c_str(), O_RDWR | O_CREAT, 0600)) {
        std::string text(1000, 'x');
        iovec part{text.data(), text.size()};
        EXPECT_TRUE(backing::write_all(io_.disk, file_.get(), {&part, 1}, ByteOffset{0}));
    }
    /// The writes that write_again() makes.
    std::vector<std::string> again(std::uint64_t size = 1000) {
        io_.calls.clear();
        UnsyncedWrites::write_again(backing_, writes_.ranges(), ByteOffset{size});
        return io_.calls;
    }

    partialfs::testing::TemporaryDirectory directory_;
    WatchedIo io_;
    base::Fd file_;
    BackingFile backing_{io_, file_, true};
    UnsyncedWrites writes_;
};

TEST_F(UnsyncedWritesTest, AreWrittenAgainAfterASyncThatFailed) {
    writes_.add(range(10, 20));
    writes_.add(range(20, 30)); // adjacent: joined to the first
    writes_.add(range(500, 600));
    EXPECT_TRUE(writes_.any());
    writes_.sync_begins();
    EXPECT_FALSE(writes_.any());
    writes_.sync_failed();
    EXPECT_TRUE(writes_.any());
    EXPECT_EQ(again(), (std::vector<std::string>{"write 10+20", "write 500+100"}));
}

TEST_F(UnsyncedWritesTest, AreForgottenAfterASync) {
    writes_.add(range(10, 20));
    writes_.sync_begins();
    writes_.sync_succeeded();
    EXPECT_FALSE(writes_.any());
    EXPECT_TRUE(again().empty());
}

TEST_F(UnsyncedWritesTest, ThatComeDuringASyncAreForTheNextOne) {
    writes_.add(range(10, 20));
    writes_.sync_begins();
    writes_.add(range(30, 40));
    writes_.sync_succeeded();
    EXPECT_TRUE(writes_.any());
    writes_.sync_failed();
    EXPECT_THAT(again(), ::testing::Contains("write 30+10"));
}

TEST_F(UnsyncedWritesTest, AreNotWrittenPastTheEndOfTheFile) {
    writes_.add(range(10, 200));
    writes_.add(range(300, 400));
    EXPECT_EQ(again(100), std::vector<std::string>{"write 10+90"});
}

TEST_F(UnsyncedWritesTest, NeedASyncButNoRepetitionIfTheyAreNoBytes) {
    writes_.add_change();
    EXPECT_TRUE(writes_.any());
    EXPECT_TRUE(again().empty());
    writes_.clear();
    EXPECT_FALSE(writes_.any());
}

TEST_F(UnsyncedWritesTest, ScatteredOverTheWholeFileAreAllWrittenAgain) {
    constexpr std::uint64_t kRanges = 70'000; // more than are kept as separate ranges
    ASSERT_EQ(::ftruncate(file_.get(), 4 * kRanges), 0);
    for (std::uint64_t i = 0; i < kRanges; ++i) {
        writes_.add(range(4 * i, 4 * i + 1));
    }
    std::vector<bool> written(4 * kRanges);
    for (const std::string& call : again(4 * kRanges)) {
        const std::size_t at = std::stoul(call.substr(6));
        const std::size_t size = std::stoul(call.substr(call.find('+') + 1));
        std::fill_n(written.begin() + static_cast<std::ptrdiff_t>(at), size, true);
    }
    for (std::uint64_t i = 0; i < kRanges; ++i) {
        ASSERT_TRUE(written[4 * i]) << i;
    }
}

} // namespace
} // namespace partialfs::file
