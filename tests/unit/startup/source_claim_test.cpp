#include "fusefs/startup/source_claim.hpp"
#include "fusefs/startup/start_failure.hpp"
#include "tests/temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace partialfs::startup {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

/// A device that no mount can have: 4095 is no major number in use.
const MountIdentity kGone{"4095:1", "/disk"};

class Claim : public ::testing::Test {
  protected:
    void SetUp() override {
        base_ = fs::canonical(temporary_.path());
        fs::create_directories(base_ / "disk/inside");
        fs::create_directory(base_ / "records");
        fs::create_directory(base_ / "beside");
    }
    [[nodiscard]] SourceClaim::Settings settings(std::chrono::milliseconds patience = {}) {
        return {.records = base_ / "records",
                .patience = patience,
                .say = [this](const std::string& line) {
                    said_ = line;
                    has_said_ = true;
                }};
    }
    [[nodiscard]] std::string disk() const { return base_ / "disk"; }
    /// The error message for a claim of `source`; empty if it succeeds.
    std::string refusal(const fs::path& source) {
        try {
            const SourceClaim claim(source, "/mnt/other", settings());
        } catch (const StartFailure& failure) {
            return failure.what();
        }
        return {};
    }

    testing::TemporaryDirectory temporary_;
    fs::path base_;
    std::string said_;
    std::atomic<bool> has_said_{false};
};

TEST_F(Claim, ASecondDaemonHearsWhoHasTheSource) {
    const SourceClaim first(disk(), "/mnt/first", settings());
    EXPECT_THAT(refusal(disk()), AllOf(HasSubstr("'" + disk() + "' is in use"),
                                       HasSubstr("process " + std::to_string(::getpid())),
                                       HasSubstr("'/mnt/first'"), HasSubstr("umount /mnt/first")));
}

TEST_F(Claim, WhatLiesInsideOrAroundCountsAsTheSame) {
    const SourceClaim first(disk(), "/mnt/first", settings());
    EXPECT_THAT(refusal(base_ / "disk/inside"),
                AllOf(HasSubstr("lies inside"), HasSubstr("/mnt/first")));
    EXPECT_THAT(refusal(base_), AllOf(HasSubstr("contains"), HasSubstr("/mnt/first")));
    EXPECT_EQ(refusal(base_ / "beside"), "");
}

TEST_F(Claim, TheLocksAloneKeepASecondDaemonAway) {
    const SourceClaim first(disk(), "/mnt/first", settings());
    for (const auto& record : fs::directory_iterator(base_ / "records")) {
        fs::remove(record);
    }
    for (const fs::path& source : {base_ / "disk", base_ / "disk/inside", base_}) {
        EXPECT_THAT(refusal(source), HasSubstr("process " + std::to_string(::getpid()))) << source;
    }
}

TEST_F(Claim, TheRecordAloneKeepsASecondDaemonAway) {
    // A record as it is where directories cannot be locked.
    MountFacts facts;
    facts.pid = 12;
    facts.source = disk();
    facts.mountpoint = "/mnt/first";
    facts.source_id = id_of(AT_FDCWD, disk().c_str()).value();
    const MountRecord record(base_ / "records", facts);
    EXPECT_THAT(refusal(disk()), HasSubstr("process 12"));
    EXPECT_THAT(refusal(base_ / "disk/inside"), HasSubstr("process 12"));
}

TEST_F(Claim, ItEndsWithItsOwner) {
    {
        const SourceClaim first(disk(), "/mnt/first", settings());
    }
    EXPECT_EQ(refusal(disk()), "");
    const pid_t child = ::fork();
    if (child == 0) {
        const SourceClaim killed(disk(), "/mnt/first", settings());
        ::raise(SIGKILL);
    }
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(refusal(disk()), "") << "a crash leaves nothing locked";
    EXPECT_TRUE(fs::is_empty(base_ / "records")) << "and no record after the next mount";
}

TEST_F(Claim, ItSurvivesAFork) {
    std::optional<SourceClaim> first;
    first.emplace(disk(), "/mnt/first", settings());
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(0); // as a daemon's parent does
    }
    ::waitpid(child, nullptr, 0);
    EXPECT_THAT(refusal(disk()), HasSubstr("is in use"));
}

TEST_F(Claim, ADaemonWhoseMountIsGoneIsWaitedFor) {
    std::optional<SourceClaim> first;
    first.emplace(disk(), "/mnt/first", settings());
    first->record().mounted(kGone);
    std::thread last_commit([&] {
        while (!has_said_) {
            std::this_thread::yield();
        }
        first->record().finished(0);
        first.reset();
    });
    const SourceClaim second(disk(), "/mnt/second", settings(std::chrono::minutes(1)));
    last_commit.join();
    EXPECT_THAT(said_, AllOf(HasSubstr("waiting at most 60 s"), HasSubstr("last commit")));
}

TEST_F(Claim, TheWaitIsBounded) {
    SourceClaim first(disk(), "/mnt/first", settings());
    first.record().mounted(kGone);
    EXPECT_THAT(refusal(disk()),
                AllOf(HasSubstr("has not finished its last commit"), HasSubstr("/mnt/first")));
}

TEST_F(Claim, ANumberThatAnotherMountHasGotIsNotItsMount) {
    const auto table = mount_table();
    const MountIdentity reused{mount_of("/", table)->identity.device, "/disk"};
    SourceClaim first(disk(), "/mnt/first", settings());
    first.record().mounted(reused);
    EXPECT_THAT(refusal(disk()), HasSubstr("has not finished its last commit"));
}

TEST_F(Claim, ADirectoryThatSomebodyElseLockedIsNotTaken) {
    const base::Fd other = base::Fd::open(AT_FDCWD, disk().c_str(), O_RDONLY).value();
    ASSERT_EQ(::flock(other.get(), LOCK_EX), 0);
    EXPECT_THAT(refusal(disk()), AllOf(HasSubstr("process " + std::to_string(::getpid())),
                                       HasSubstr("left no record")));
}

TEST_F(Claim, WithoutAPlaceForRecordsItIsMadeAndSaysSo) {
    SourceClaim::Settings elsewhere = settings();
    elsewhere.records = base_ / "none";
    const SourceClaim first(disk(), "/mnt/first", elsewhere);
    EXPECT_THAT(said_, AllOf(HasSubstr("no record"), HasSubstr("No such file")));
    EXPECT_THAT(refusal(disk()), HasSubstr("is in use"));
}

} // namespace
} // namespace partialfs::startup
