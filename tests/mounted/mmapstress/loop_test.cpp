// mmapstress on the kernel's own filesystems, on loop devices: they are clean, and where they are
// full or read-only it says so.
#include "tests/mounted/mmapstress/loop_mount.hpp"
#include "tools/mmapstress/engine/engine.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace mmapstress {
namespace {

namespace fs = std::filesystem;
using partialfs::testing::Filesystem;
using partialfs::testing::LoopMount;

OpSourceFactory factory_of(const WorkloadInfo& workload, const WorkloadSettings& settings) {
    return [&workload, settings] {
        auto source = workload.make(settings);
        return std::move(*source);
    };
}

class OnLoop : public testing::TestWithParam<Filesystem> {};

TEST_P(OnLoop, IsClean) {
    LoopMount mount;
    if (const auto reason = mount.mount(GetParam(), "rw")) {
        GTEST_SKIP() << *reason;
    }
    for (const WorkloadInfo& workload : workloads()) {
        if (workload.name == "pressure") {
            continue; // a quarter of a gigabyte through a loop device is no quick test
        }
        SCOPED_TRACE(workload.name);
        WorkloadSettings settings;
        settings.ops = 1500;
        settings.processes = 2;
        RunSettings run_settings;
        run_settings.directory = mount.path();
        const auto result = run(run_settings, factory_of(workload, settings), workload.judge);
        ASSERT_TRUE(result) << result.error().message;
        EXPECT_EQ(result->verdict(), Verdict::clean)
            << (result->problems.empty() ? "" : result->problems[0].message);
        EXPECT_EQ(result->stages[static_cast<std::size_t>(Stage::direct)].state,
                  StageResult::State::checked);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Filesystems, OnLoop,
    testing::Values(Filesystem{"ext4_1k", {"mkfs.ext4", "-q", "-b", "1024"}, 64},
                    Filesystem{"ext4_4k", {"mkfs.ext4", "-q", "-b", "4096"}, 64},
                    Filesystem{"xfs", {"mkfs.xfs", "-q"}, 320},
                    Filesystem{"btrfs", {"mkfs.btrfs", "-q"}, 256}),
    [](const auto& one) { return std::string(one.param.name); });

const Filesystem kSmall{"small", {"mkfs.ext4", "-q", "-b", "1024", "-O", "^has_journal"}, 1};

TEST(OnAFullLoop, TheRunCannotTell) {
    LoopMount mount;
    if (const auto reason = mount.mount(kSmall, "rw")) {
        GTEST_SKIP() << *reason;
    }
    const auto before = std::distance(fs::directory_iterator(mount.path()), {});
    WorkloadSettings settings;
    settings.size = ByteCount{4U << 20U};
    RunSettings run_settings;
    run_settings.directory = mount.path();
    for (const char* name : {"linus", "recipe"}) { // a store fails, a write fails
        const WorkloadInfo& workload = *workload_named(name);
        const auto result = run(run_settings, factory_of(workload, settings), workload.judge);
        ASSERT_TRUE(result) << result.error().message;
        EXPECT_EQ(result->verdict(), Verdict::unknown);
        ASSERT_FALSE(result->problems.empty());
        const std::string& message = result->problems[0].message;
        EXPECT_NE(message.find(std::string_view(name) == "linus" ? "SIGBUS" : "No space left"),
                  std::string::npos)
            << message;
        EXPECT_NE(result->problems[0].op, OpId{0});
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(mount.path()), {}), before);
}

TEST(OnAReadOnlyLoop, TheRunDoesNotBegin) {
    LoopMount mount;
    if (const auto reason = mount.mount(kSmall, "ro")) {
        GTEST_SKIP() << *reason;
    }
    const WorkloadInfo& workload = *workload_named("mix");
    RunSettings run_settings;
    run_settings.directory = mount.path();
    const auto result = run(run_settings, factory_of(workload, {}), workload.judge);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().verdict, Verdict::unknown);
    EXPECT_NE(result.error().message.find("Read-only file system"), std::string::npos);
}

} // namespace
} // namespace mmapstress
