#include "fusefs/startup/mount_record.hpp"
#include "tests/temporary_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

namespace partialfs::startup {
namespace {

namespace fs = std::filesystem;

class Record : public ::testing::Test {
  protected:
    void SetUp() override {
        fs::create_directory(temporary_ / "source");
        facts_.pid = ::getpid();
        facts_.source = (temporary_ / "source").string();
        facts_.mountpoint = "/mnt";
        facts_.source_id = id_of(AT_FDCWD, facts_.source.c_str()).value();
        facts_.above = {{8, 1, 2, 0}, {8, 1, 3, 17}};
    }
    [[nodiscard]] std::vector<FoundRecord> records() const {
        return find_records(temporary_.path(), {::geteuid()});
    }

    testing::TemporaryDirectory temporary_;
    MountFacts facts_;
};

TEST_F(Record, WhatIsWrittenIsRead) {
    facts_.source = "/with\nnewline\\and backslash";
    facts_.mount = MountIdentity{"0:53", "/with blank"};
    facts_.result = 28;
    EXPECT_EQ(parse_mount_facts(text_of(facts_)), facts_);
}

TEST_F(Record, TextOfSomethingElseIsNone) {
    for (const char* text : {"", "pid 12\n", "pid x\nsource /a\n", "hello\n", "above 8:1\n"}) {
        EXPECT_EQ(parse_mount_facts(text), std::nullopt) << text;
    }
    const std::string whole = text_of(facts_);
    EXPECT_EQ(parse_mount_facts(whole + "result 5"), facts_) << "a line that is not whole";
    EXPECT_EQ(parse_mount_facts(whole + "result -5\n"), std::nullopt);
}

TEST_F(Record, ADaemonsRecordLivesAsLongAsItDoes) {
    {
        MountRecord record(temporary_.path(), facts_);
        EXPECT_FALSE(record.problem());
        record.mounted({"0:53", "/with blank"});
        const auto found = records();
        ASSERT_EQ(found.size(), 1U);
        EXPECT_TRUE(found[0].alive);
        facts_.mount = MountIdentity{"0:53", "/with blank"};
        EXPECT_EQ(found[0].facts, facts_);
        record.finished(0);
    }
    EXPECT_TRUE(records().empty());
}

TEST_F(Record, AFailedLastCommitIsKept) {
    MountRecord(temporary_.path(), facts_).finished(EIO);
    const auto found = records();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_FALSE(found[0].alive);
    EXPECT_EQ(found[0].facts.result, EIO);
}

TEST_F(Record, ADaemonThatWasKilledIsNoLivingOne) {
    const pid_t child = ::fork();
    if (child == 0) {
        const MountRecord record(temporary_.path(), facts_);
        ::raise(SIGKILL);
    }
    ::waitpid(child, nullptr, 0);
    const auto found = records();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_FALSE(found[0].alive);
    EXPECT_EQ(found[0].facts.result, std::nullopt);
}

TEST_F(Record, WaitingEndsWithTheDaemonAndKnowsItsResult) {
    std::optional<MountRecord> record;
    record.emplace(temporary_.path(), facts_);
    const auto found = records();
    std::thread daemon([&] {
        record->finished(ENOSPC);
        record.reset();
    });
    const MountFacts seen = wait_for_end(found.at(0));
    daemon.join();
    EXPECT_EQ(seen.result, ENOSPC);
}

TEST_F(Record, OnlyTrustedOwnersAreRead) {
    const MountRecord record(temporary_.path(), facts_);
    EXPECT_TRUE(find_records(temporary_.path(), {::geteuid() + 1}).empty());
    EXPECT_EQ(find_records(temporary_.path(), {}).size(), 1U) << "everybody";
}

TEST_F(Record, WhatOthersPutThereIsPassedOver) {
    fs::create_directory(temporary_ / "partialfs.directory");
    fs::create_symlink("/etc/passwd", temporary_ / "partialfs.link");
    ASSERT_EQ(::mkfifo((temporary_ / "partialfs.fifo").c_str(), 0644), 0);
    std::ofstream(temporary_ / "partialfs.rubbish") << std::string(100'000, 'x');
    EXPECT_TRUE(records().empty());
    EXPECT_TRUE(find_records(temporary_ / "none", {}).empty());
}

TEST_F(Record, StaleOnesAreRemovedAndOthersStay) {
    MountRecord(temporary_.path(), facts_).finished(EIO);
    fs::create_directory(temporary_ / "other");
    MountFacts other = facts_;
    other.source = (temporary_ / "other").string();
    other.source_id = id_of(AT_FDCWD, other.source.c_str()).value();
    MountRecord(temporary_.path(), other).finished(EIO);
    MountFacts gone = facts_;
    gone.source = (temporary_ / "gone").string();
    gone.source_id.inode += 1'000'000;
    MountRecord(temporary_.path(), gone).finished(EIO);
    const MountRecord living(temporary_.path(), facts_);

    remove_stale_records(temporary_.path(), facts_.source_id);
    const auto found = records();
    ASSERT_EQ(found.size(), 2U);
    for (const FoundRecord& record : found) {
        EXPECT_TRUE(record.alive || record.facts.source == other.source);
    }
}

TEST_F(Record, WhereThereCanBeNoneTheReasonIsKnown) {
    MountRecord record(temporary_ / "none", facts_);
    ASSERT_TRUE(record.problem());
    EXPECT_EQ(record.problem()->value, ENOENT);
    record.mounted({"0:1", "a"});
    record.finished(0);
}

} // namespace
} // namespace partialfs::startup
