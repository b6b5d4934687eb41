#include "fusefs/startup/last_commit.hpp"
#include "tests/temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <thread>

namespace partialfs::startup {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

class Wait : public ::testing::Test {
  protected:
    void SetUp() override {
        fs::create_directory(temporary_ / "disk");
        fs::create_directory(temporary_ / "records");
        facts_.pid = 12;
        facts_.source = (temporary_ / "disk").string();
        facts_.mountpoint = "/mnt";
        facts_.source_id = id_of(AT_FDCWD, facts_.source.c_str()).value();
    }
    [[nodiscard]] LastCommit wait() {
        return wait_for_last_commit(temporary_ / "disk", temporary_ / "records",
                                    [this](const std::string& line) {
                                        said_ = line;
                                        has_said_ = true;
                                    });
    }

    testing::TemporaryDirectory temporary_;
    MountFacts facts_;
    std::string said_;
    std::atomic<bool> has_said_{false};
};

TEST_F(Wait, WhereNobodyIsThereIsNothingToWaitFor) {
    const LastCommit commit = wait();
    EXPECT_EQ(commit.error, 0);
    EXPECT_EQ(commit.message, "");
}

TEST_F(Wait, AFailedCommitIsReportedAfterItsDaemonHasGone) {
    MountRecord(temporary_ / "records", facts_).finished(ENOSPC);
    for (int again = 0; again < 2; ++again) {
        const LastCommit commit = wait();
        EXPECT_EQ(commit.error, ENOSPC);
        EXPECT_THAT(commit.message, AllOf(HasSubstr("process 12"), HasSubstr(facts_.source),
                                          HasSubstr("No space left")));
    }
}

TEST_F(Wait, ADaemonThatDiedIsReported) {
    {
        const MountRecord record(temporary_ / "records", facts_);
        // A copy of the record, without the lock.
        fs::copy_file(temporary_ / "records" / record.name(),
                      temporary_ / "records/partialfs.copy");
    }
    const LastCommit commit = wait();
    EXPECT_EQ(commit.error, ESRCH);
    EXPECT_THAT(commit.message, HasSubstr("died before its last commit"));
}

TEST_F(Wait, ALivingDaemonIsWaitedFor) {
    std::optional<MountRecord> record;
    record.emplace(temporary_ / "records", facts_);
    std::atomic<bool> returned{false};
    std::optional<LastCommit> commit;
    std::thread waiter([&] {
        commit = wait();
        returned = true;
    });
    EXPECT_FALSE(returned);
    record->finished(EIO);
    EXPECT_FALSE(returned) << "the daemon has not ended yet";
    record.reset();
    waiter.join();
    EXPECT_EQ(commit->error, EIO);
}

TEST_F(Wait, AMountThatIsStillThereIsNamed) {
    const auto table = mount_table();
    facts_.mount = mount_of("/proc", table)->identity;
    std::optional<MountRecord> record;
    record.emplace(temporary_ / "records", facts_);
    std::thread daemon([&] {
        while (!has_said_) {
            std::this_thread::yield();
        }
        record->finished(0);
        record.reset();
    });
    EXPECT_EQ(wait().error, 0);
    daemon.join();
    EXPECT_THAT(said_, AllOf(HasSubstr("is mounted at '/mnt'"), HasSubstr("process 12")));
}

TEST_F(Wait, ALockWithoutARecordIsWaitedFor) {
    base::Fd other = base::Fd::open(AT_FDCWD, facts_.source.c_str(), O_RDONLY).value();
    ASSERT_EQ(::flock(other.get(), LOCK_EX), 0);
    std::thread daemon([&] {
        while (!has_said_) {
            std::this_thread::yield();
        }
        other.reset();
    });
    EXPECT_EQ(wait().error, 0);
    daemon.join();
    EXPECT_THAT(said_, HasSubstr("left no record"));
}

TEST_F(Wait, AMissingSourceIsNamed) {
    fs::remove(temporary_ / "disk");
    const LastCommit commit = wait();
    EXPECT_EQ(commit.error, ENOENT);
    EXPECT_THAT(commit.message, HasSubstr(facts_.source));
}

TEST_F(Wait, WhatIsNoFuseMountIsNotUnmounted) {
    for (const fs::path& path : {temporary_.path(), fs::path("/proc")}) {
        const LastCommit commit = unmount_and_wait(path, temporary_ / "records");
        EXPECT_EQ(commit.error, EINVAL);
        EXPECT_THAT(commit.message, HasSubstr("'" + path.string() + "'"));
    }
}

} // namespace
} // namespace partialfs::startup
