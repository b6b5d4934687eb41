#include "fusefs/backing/faulty_io.hpp"
#include "fusefs/base/fd.hpp"
#include "tests/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <new>
#include <sstream>
#include <string>

namespace partialfs::backing {
namespace {

class Faults : public ::testing::Test {
  protected:
    base::Fd open(const char* name) {
        return base::Fd::open(AT_FDCWD, (temporary_ / name).c_str(), O_RDWR | O_CREAT, 0600)
            .value();
    }
    void tell(FaultyIo& io, std::string_view rules) {
        io.set_rules(parse_fault_rules(rules).value());
    }
    static ssize_t write(FaultyIo& io, const base::Fd& fd, std::string text) {
        const iovec part{text.data(), text.size()};
        return io.pwritev(fd.get(), &part, 1, 0);
    }
    std::string content(const char* name) {
        std::ostringstream text;
        text << std::ifstream(temporary_ / name).rdbuf();
        return text.str();
    }

    testing::TemporaryDirectory temporary_;
};

TEST_F(Faults, WithoutRulesEverythingIsDone) {
    FaultyIo io;
    const base::Fd file = open("file");
    EXPECT_EQ(write(io, file, "text"), 4);
    EXPECT_EQ(io.fdatasync(file.get()), 0);
    EXPECT_EQ(io.ftruncate(file.get(), 2), 0);
    EXPECT_EQ(content("file"), "te");
    EXPECT_EQ(io.injected(), 0U);
}

TEST_F(Faults, AnErrorIsReturnedAndNothingIsDone) {
    FaultyIo io;
    const base::Fd file = open("file");
    tell(io, "pwrite ENOSPC");
    EXPECT_EQ(write(io, file, "text"), -1);
    EXPECT_EQ(errno, ENOSPC);
    EXPECT_EQ(content("file"), "");
    EXPECT_EQ(io.fdatasync(file.get()), 0);
    EXPECT_EQ(io.injected(), 1U);
}

TEST_F(Faults, WantOfMemoryIsThrown) {
    FaultyIo io;
    const base::Fd file = open("file");
    tell(io, "pwrite bad_alloc");
    EXPECT_THROW(write(io, file, "text"), std::bad_alloc);
    EXPECT_EQ(content("file"), "");
    EXPECT_EQ(io.fdatasync(file.get()), 0);
}

TEST_F(Faults, AfterAndCountLimitARule) {
    FaultyIo io;
    const base::Fd file = open("file");
    tell(io, "fdatasync EIO after=2 count=1");
    const std::array expected{0, 0, -1, 0, 0};
    for (const int answer : expected) {
        EXPECT_EQ(io.fdatasync(file.get()), answer);
    }
}

TEST_F(Faults, ARuleMayNameFiles) {
    FaultyIo io;
    tell(io, "# a comment\n\nany EDQUOT name=*.db\n");
    EXPECT_EQ(io.fsync(open("a.txt").get()), 0);
    EXPECT_EQ(io.fsync(open("a.db").get()), -1);
    EXPECT_EQ(errno, EDQUOT);
    const base::Fd removed = open("b.db");
    std::filesystem::remove(temporary_ / "b.db");
    EXPECT_EQ(io.fsync(removed.get()), -1) << "an unlinked file still has its name";
}

TEST_F(Faults, ShortWritesAreGoneOnWith) {
    FaultyIo io;
    const base::Fd file = open("file");
    tell(io, "pwrite short=3");
    std::string first = "abcdefgh";
    std::string second = "ij";
    std::array parts{iovec{first.data(), first.size()}, iovec{second.data(), second.size()}};
    EXPECT_TRUE(write_all(io, file.get(), parts, model::ByteOffset{0}));
    EXPECT_EQ(content("file"), "abcdefghij");
    EXPECT_EQ(io.injected(), 4U);
}

TEST_F(Faults, TheRulesFileIsReadAgainWhenItChanges) {
    FaultyIo io(temporary_ / "rules");
    const base::Fd file = open("file");
    EXPECT_EQ(io.fdatasync(file.get()), 0) << "no file, no rules";
    std::ofstream(temporary_ / "rules") << "fdatasync EIO\n";
    EXPECT_EQ(io.fdatasync(file.get()), -1);
    EXPECT_EQ(errno, EIO);
    std::ofstream(temporary_ / "rules") << "nonsense\n";
    EXPECT_EQ(io.fdatasync(file.get()), -1);
    EXPECT_EQ(errno, EINVAL) << "rules that nobody understands must not pass for none";
    std::filesystem::remove(temporary_ / "rules");
    EXPECT_EQ(io.fdatasync(file.get()), 0);
}

TEST(FaultRules, WhatIsWrongIsNamedWithItsLine) {
    EXPECT_EQ(parse_fault_rules("pwrite EIO\nscribble EIO").error(),
              "line 2: 'scribble' is no operation");
    EXPECT_EQ(parse_fault_rules("pwrite EWHAT").error(), "line 1: 'EWHAT' is not understood");
    EXPECT_EQ(parse_fault_rules("pwrite delay=5").error(), "line 1: 'delay=5' is not understood");
}

TEST(FaultRules, EveryWordIsRead) {
    const auto rules =
        parse_fault_rules("pwrite EFBIG short=7 delay=2s name=a*b after=1 count=9").value();
    FaultRule expected;
    expected.operation = IoOperation::pwrite;
    expected.error = base::Errno{EFBIG};
    expected.at_most = 7;
    expected.delay = std::chrono::seconds(2);
    expected.name = "a*b";
    expected.after = 1;
    expected.count = 9;
    EXPECT_EQ(rules, std::vector{expected});
}

} // namespace
} // namespace partialfs::backing
