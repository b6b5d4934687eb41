#include "fusefs/base/fd.hpp"
#include "fusefs/faults/faulty_io.hpp"
#include "tests/temporary_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <fstream>
#include <new>
#include <sstream>
#include <string>

namespace partialfs::faults {
namespace {

class FaultyDisk : public ::testing::Test {
  protected:
    base::Fd open(const char* name) {
        return base::Fd::open(AT_FDCWD, (temporary_ / name).c_str(), O_RDWR | O_CREAT, 0600)
            .value();
    }
    void rules(const std::string& lines) {
        const auto done = book_.change("clear\n" + lines);
        ASSERT_TRUE(done) << done.error().message();
    }
    ssize_t write(const base::Fd& fd, std::string text, off_t offset = 0) {
        const iovec part{text.data(), text.size()};
        return io_.pwritev(fd.get(), &part, 1, offset);
    }
    std::string read(const base::Fd& fd, std::size_t size) {
        std::string text(size, '\0');
        const ssize_t got = io_.pread(fd.get(), text.data(), size, 0);
        text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
        return text;
    }
    std::string content(const char* name) {
        std::ostringstream text;
        text << std::ifstream(temporary_ / name).rdbuf();
        return text.str();
    }
    [[nodiscard]] std::uint64_t fired() const { return book_.counts().fired; }

    testing::TemporaryDirectory temporary_;
    FaultBook book_;
    FaultyIo io_{book_, temporary_.path().string()};
};

TEST_F(FaultyDisk, WithoutRulesEverythingIsDone) {
    const base::Fd file = open("file");
    EXPECT_TRUE(io_.may_read_directly());
    EXPECT_EQ(write(file, "text"), 4);
    EXPECT_EQ(io_.fdatasync(file.get()), 0);
    EXPECT_EQ(io_.ftruncate(file.get(), 2), 0);
    EXPECT_EQ(content("file"), "te");
    EXPECT_EQ(fired(), 0U);
    rules("request:any EIO");
    EXPECT_TRUE(io_.may_read_directly()) << "rules of the other layer are none of its business";
    rules("fsync EIO");
    EXPECT_FALSE(io_.may_read_directly());
}

TEST_F(FaultyDisk, AnErrorIsReturnedAndNothingIsDone) {
    const base::Fd file = open("file");
    rules("pwrite ENOSPC");
    EXPECT_EQ(write(file, "text"), -1);
    EXPECT_EQ(errno, ENOSPC);
    EXPECT_EQ(content("file"), "");
    EXPECT_EQ(io_.fdatasync(file.get()), 0);
    EXPECT_EQ(fired(), 1U);
}

TEST_F(FaultyDisk, WantOfMemoryIsThrown) {
    const base::Fd file = open("file");
    rules("pwrite bad_alloc");
    EXPECT_THROW(write(file, "text"), std::bad_alloc);
    EXPECT_EQ(content("file"), "");
    EXPECT_EQ(io_.fdatasync(file.get()), 0);
}

TEST_F(FaultyDisk, ShortWritesAreGoneOnWith) {
    const base::Fd file = open("file");
    rules("pwrite short=3");
    std::string first = "abcdefgh";
    std::string second = "ij";
    std::array parts{iovec{first.data(), first.size()}, iovec{second.data(), second.size()}};
    EXPECT_TRUE(backing::write_all(io_, file.get(), parts, model::ByteOffset{0}));
    EXPECT_EQ(content("file"), "abcdefghij");
    EXPECT_EQ(fired(), 4U);
}

TEST_F(FaultyDisk, ShortReadsBringLess) {
    const base::Fd file = open("file");
    EXPECT_EQ(write(file, "abcdefgh"), 8);
    rules("pread short=3");
    EXPECT_EQ(read(file, 8), "abc");
}

TEST_F(FaultyDisk, ATornWriteLeavesItsFirstBytesAndFails) {
    const base::Fd file = open("file");
    rules("pwrite torn=3");
    EXPECT_EQ(write(file, "abcdefgh"), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(content("file"), "abc");
    rules("pwrite torn=1 ENOSPC");
    EXPECT_EQ(write(file, "ABC"), -1);
    EXPECT_EQ(errno, ENOSPC);
    EXPECT_EQ(content("file"), "Abc");
}

TEST_F(FaultyDisk, WhatIsSkippedSucceedsAndIsNotDone) {
    const base::Fd file = open("file");
    EXPECT_EQ(write(file, "text"), 4);
    rules("pwrite skip\nftruncate skip\nfdatasync skip\nfsync skip\nfallocate skip");
    EXPECT_EQ(write(file, "TEXTTEXT"), 8);
    EXPECT_EQ(io_.ftruncate(file.get(), 1), 0);
    EXPECT_EQ(io_.fdatasync(-1), 0) << "not called: there is no such descriptor";
    EXPECT_EQ(io_.fsync(-1), 0);
    EXPECT_EQ(io_.fallocate(file.get(), 0, 0, 100), 0);
    EXPECT_EQ(content("file"), "text");
    EXPECT_EQ(fired(), 5U);
}

TEST_F(FaultyDisk, ADelayIsWaitedForAndTheOperationDone) {
    const base::Fd file = open("file");
    rules("pwrite delay=30ms");
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(write(file, "text"), 4);
    EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(30));
    EXPECT_EQ(content("file"), "text");
}

TEST_F(FaultyDisk, BitsAreFlippedInWhatIsRead) {
    const base::Fd file = open("file");
    const std::string zeros(1000, '\0');
    EXPECT_EQ(write(file, zeros), 1000);
    const auto ones = [](const std::string& text) {
        int count = 0;
        for (const char c : text) {
            count += std::popcount(static_cast<unsigned char>(c));
        }
        return count;
    };
    rules("pread flip seed=5");
    const std::string once = read(file, 1000);
    const std::string twice = read(file, 1000);
    EXPECT_EQ(ones(once), 1);
    EXPECT_EQ(ones(twice), 1);
    EXPECT_NE(once, twice) << "another place each time";
    rules("pread flip seed=5");
    EXPECT_EQ(read(file, 1000), once) << "the same from the same seed";
    rules("pread flip=7 seed=6");
    EXPECT_GT(ones(read(file, 1000)), 1);
    EXPECT_EQ(content("file"), zeros) << "the disk is as it was";
}

TEST_F(FaultyDisk, AStaleReadBringsWhatStoodThereBefore) {
    const base::Fd file = open("file");
    const std::string old(8192, 'o');
    EXPECT_EQ(write(file, old), 8192);
    rules("pread stale");
    EXPECT_EQ(read(file, 8192), old) << "nothing has been written since";
    EXPECT_EQ(write(file, std::string(100, 'n'), 4096), 100);
    EXPECT_EQ(read(file, 8192), old);
    EXPECT_EQ(write(file, std::string(100, 'm'), 4096), 100);
    EXPECT_EQ(read(file, 8192).substr(4096, 100), std::string(100, 'n')) << "the write before";
    rules("");
    EXPECT_EQ(read(file, 8192).substr(4096, 100), std::string(100, 'm'));
    rules("pread stale");
    EXPECT_EQ(read(file, 8192).substr(4096, 100), std::string(100, 'm')) << "begun anew";
}

TEST_F(FaultyDisk, ThereIsRoomForSoManyBytes) {
    const base::Fd file = open("file");
    rules("any enospc-after=10");
    EXPECT_EQ(write(file, "abcdefgh"), 8);
    EXPECT_EQ(write(file, "ijklm", 8), 2) << "what is left";
    EXPECT_EQ(write(file, "klm", 10), -1);
    EXPECT_EQ(errno, ENOSPC);
    EXPECT_EQ(io_.fallocate(file.get(), 0, 0, 1), -1);
    EXPECT_EQ(errno, ENOSPC);
    EXPECT_EQ(io_.fdatasync(file.get()), 0) << "takes no room";
    EXPECT_EQ(content("file"), "abcdefghij");
    EXPECT_EQ(fired(), 3U);
}

TEST_F(FaultyDisk, ARuleMayNameFiles) {
    std::filesystem::create_directory(temporary_ / "db");
    rules("any EDQUOT name=*.db");
    EXPECT_EQ(io_.fsync(open("a.txt").get()), 0);
    EXPECT_EQ(io_.fsync(open("a.db").get()), -1);
    EXPECT_EQ(errno, EDQUOT);
    const base::Fd removed = open("b.db");
    std::filesystem::remove(temporary_ / "b.db");
    EXPECT_EQ(io_.fsync(removed.get()), -1) << "an unlinked file still has its name";
    rules("any EDQUOT path=/db/*");
    EXPECT_EQ(io_.fsync(open("a.db").get()), 0);
    EXPECT_EQ(io_.fsync(open("db/wal").get()), -1);
    rules("any EDQUOT path=wal");
    EXPECT_EQ(io_.fsync(open("db/wal").get()), 0) << "the pattern is for the whole path";
}

TEST_F(FaultyDisk, ARuleMayNameBytes) {
    const base::Fd file = open("file");
    rules("pwrite EIO offset=4+4");
    EXPECT_EQ(write(file, "abcd"), 4);
    EXPECT_EQ(write(file, "x", 8), 1);
    EXPECT_EQ(write(file, "abcde"), -1);
    EXPECT_EQ(write(file, "x", 7), -1);
}

} // namespace
} // namespace partialfs::faults
