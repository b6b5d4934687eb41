// mmapstress directly on a block device.
#include "tests/mounted/mmapstress/loop_mount.hpp"
#include "tests/mounted/mount.hpp"
#include "tests/shell_command.hpp"
#include "tests/temporary_directory.hpp"
#include "tools/mmapstress/engine/engine.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace mmapstress {
namespace {

namespace fs = std::filesystem;
using partialfs::testing::run_program;

/// A loop device of its own.
class OnDevice : public testing::Test {
  protected:
    void SetUp() override {
        std::ofstream(image()) << "";
        fs::resize_file(image(), (64U << 20U) + 512); // not a multiple of 4096
        attach();
    }
    void TearDown() override { detach(); }

    void attach() {
        const auto made = partialfs::testing::said_by("losetup --find --show " + image());
        if (made.code != 0) {
            GTEST_SKIP() << "no loop device can be had: " << made.text;
        }
        device_ = made.text.substr(0, made.text.find('\n'));
    }
    void detach() {
        if (!device_.empty()) {
            EXPECT_EQ(run_program({"losetup", "--detach", device_}).code, 0);
            device_.clear();
        }
    }
    [[nodiscard]] std::string image() const { return (temporary_ / "image").string(); }

    std::expected<RunResult, StartError>
    run_workload(const char* name, std::uint64_t seed,
                 CommitBy commit_by = CommitBy::sibling) const {
        const WorkloadInfo& workload = *workload_named(name);
        RunSettings settings;
        settings.directory = device_;
        settings.overwrite_device = true;
        settings.may_have = workload.may_have();
        WorkloadSettings workload_settings;
        workload_settings.seed = seed;
        workload_settings.files = 1;
        workload_settings.commit_by = commit_by;
        return run(settings,
                   [&workload, workload_settings] { return *workload.make(workload_settings); });
    }

    partialfs::testing::TemporaryDirectory temporary_;
    std::string device_;
};

TEST_F(OnDevice, IsClean) {
    const fs::perms before = fs::status(device_).permissions();
    for (const char* name : {"wild", "mix", "recipe", "writeback"}) {
        for (std::uint64_t seed = 1; seed <= 3; ++seed) {
            SCOPED_TRACE(std::string(name) + ", seed " + std::to_string(seed));
            const auto result = run_workload(name, seed);
            ASSERT_TRUE(result) << result.error().message;
            EXPECT_EQ(result->verdict(), Verdict::clean)
                << (result->problems.empty() ? "" : result->problems[0].message);
            EXPECT_TRUE(result->on_disk);
            EXPECT_EQ(result->files, std::vector{device_});
            EXPECT_EQ(result->ops_by_kind[static_cast<std::size_t>(OpKind::commit)], 0U);
            EXPECT_EQ(result->ops_by_kind[static_cast<std::size_t>(OpKind::truncate)], 0U);
        }
    }
    EXPECT_EQ(fs::status(device_).permissions(), before);
}

TEST_F(OnDevice, ACommitMayBeASync) {
    const auto commits = [this](CommitBy way) {
        const auto result = run_workload("recipe", 1, way);
        EXPECT_TRUE(result) << result.error().message;
        EXPECT_EQ(result->verdict(), Verdict::clean);
        return result->ops_by_kind[static_cast<std::size_t>(OpKind::commit)];
    };
    EXPECT_GT(commits(CommitBy::sync), 0U);
    EXPECT_EQ(commits(CommitBy::syncfs), 0U) << "that is the filesystem of the device's node";
}

TEST_F(OnDevice, ABytelessStoreIsFound) {
    const auto schedule = parse_schedule("mmapstress-schedule 1\nseed 3\n"
                                         "file 0 size=65536 start=sparse\n"
                                         "1 store file=0 off=100 len=200\n"
                                         "2 store file=0 off=150 len=20\n");
    ASSERT_TRUE(schedule);
    RunSettings settings;
    settings.directory = device_;
    settings.overwrite_device = true;
    settings.drop = OpId{2};
    const auto result = run(settings, source_of(*schedule));
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(wrong_bytes(result->damage, Stage::evicted),
              (std::vector<DamagedBytes>{{FileIndex{0}, {ByteOffset{150}, ByteOffset{170}}}}));
}

TEST_F(OnDevice, WhatIsInUseOrHoldsSomethingIsLeftAsItIs) {
    const auto refused = [&](const std::string& why) {
        const auto result = run_workload("recipe", 1);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().verdict, Verdict::usage);
        EXPECT_THAT(result.error().message, testing::HasSubstr(why));
    };
    ASSERT_EQ(run_program({"mkfs.ext4", "-q", device_}).code, 0);
    refused(device_ + " holds ext2, ext3 or ext4");
    const fs::path mounted = temporary_ / "mounted";
    fs::create_directory(mounted);
    ASSERT_EQ(run_program({"mount", device_, mounted}).code, 0);
    refused(device_ + " is mounted or in use");
    EXPECT_EQ(run_program({"umount", mounted}).code, 0);
    EXPECT_EQ(run_program({"e2fsck", "-f", "-n", device_}).code, 0) << "nothing was written";
}

TEST_F(OnDevice, WithoutTheOptionItIsNotTouched) {
    const auto said = partialfs::testing::said_by(MMAPSTRESS " run " + device_);
    EXPECT_EQ(said.code, 2);
    EXPECT_THAT(said.text, testing::HasSubstr("is a block device: with --overwrite-device"));
}

} // namespace
} // namespace mmapstress
