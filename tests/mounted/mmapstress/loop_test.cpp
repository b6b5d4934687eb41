// mmapstress on the kernel's own filesystems, on loop devices: it finds no damage, and if they are
// full or read-only it says so.
#include "fusefs/base/fd.hpp"
#include "tests/mounted/mmapstress/loop_mount.hpp"
#include "tests/mounted/mount.hpp"
#include "tools/mmapstress/engine/engine.hpp"
#include "tools/mmapstress/system/page_cache.hpp"
#include "tools/mmapstress/workloads/workload.hpp"
#include "tools/schedule/leaving_out.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

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

/// Expects every workload to be clean there, except those that exceed the memory.
void expect_clean(const fs::path& directory) {
    for (const WorkloadInfo& workload : workloads()) {
        if (workload.exceeds_memory) {
            continue; // a quarter of a gigabyte through a loop device is no quick test
        }
        SCOPED_TRACE(workload.name);
        WorkloadSettings settings;
        settings.ops = 1500;
        settings.processes = 2;
        RunSettings run_settings;
        run_settings.directory = directory;
        run_settings.may_have = workload.may_have();
        const auto result = run(run_settings, factory_of(workload, settings), workload.judge);
        ASSERT_TRUE(result) << result.error().message;
        EXPECT_EQ(result->verdict(), Verdict::clean)
            << (result->problems.empty() ? "" : result->problems[0].message);
        EXPECT_EQ(result->commits.done,
                  result->ops_by_kind[static_cast<std::size_t>(OpKind::commit)]);
        EXPECT_TRUE(result->commits.done == 0 || result->commits.empty != result->commits.done);
        EXPECT_EQ(result->stages[static_cast<std::size_t>(Stage::direct)].state,
                  StageResult::State::checked);
    }
}

class OnLoop : public testing::TestWithParam<Filesystem> {};

TEST_P(OnLoop, IsClean) {
    LoopMount mount;
    if (const auto reason = mount.mount(GetParam(), "rw")) {
        GTEST_SKIP() << *reason;
    }
    expect_clean(mount.path());
}

INSTANTIATE_TEST_SUITE_P(
    Filesystems, OnLoop,
    testing::Values(Filesystem{"ext4_1k", {"mkfs.ext4", "-q", "-b", "1024"}, 64},
                    Filesystem{"ext4_4k", {"mkfs.ext4", "-q", "-b", "4096"}, 64},
                    Filesystem{"xfs", {"mkfs.xfs", "-q"}, 320},
                    Filesystem{"btrfs", {"mkfs.btrfs", "-q"}, 256}),
    [](const auto& one) { return std::string(one.param.name); });

/// A schedule whose only commit comes after `before`.
RunResult run_with_commit(const fs::path& directory, const std::string& before) {
    const auto schedule = parse_schedule("mmapstress-schedule 1\nseed 1\ncommit-by syncfs\n"
                                         "file 0 size=8192 start=written+fsync\n"
                                         "1 store file=0 off=100 len=200\n" +
                                         before + "3 commit\n");
    EXPECT_TRUE(schedule) << schedule.error().message();
    RunSettings settings;
    settings.directory = directory;
    auto result = run(settings, source_of(*schedule), nullptr);
    EXPECT_TRUE(result) << result.error().message;
    return std::move(*result);
}

TEST(OnALoop, CommitsThatWriteNothingCannotTell) {
    LoopMount mount;
    // The kernel must write nothing later on its own.
    const Filesystem quiet{
        "ext4", {"mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0"}, 16};
    if (const auto reason = mount.mount(quiet, "rw")) {
        GTEST_SKIP() << *reason;
    }
    const RunResult wrote = run_with_commit(mount.path(), "");
    EXPECT_EQ(wrote.verdict(), Verdict::clean);
    EXPECT_EQ(wrote.commits, (Commits{1, 0}));
    // sync(2) has written everything: the commit finds nothing to write.
    const RunResult wrote_nothing = run_with_commit(mount.path(), "2 sync\n");
    EXPECT_EQ(wrote_nothing.commits, (Commits{1, 1}));
    EXPECT_EQ(wrote_nothing.verdict(), Verdict::unknown);
    ASSERT_EQ(wrote_nothing.problems.size(), 1U);
    EXPECT_NE(wrote_nothing.problems[0].message.find("wrote a sector"), std::string::npos);
}

// These stores hang such a filesystem (K2), so mmapstress leaves them out unless allowed.
TEST(OnALoop, StoresByTheKernelAreLeftOutWhereTheJournalHasTheData) {
    LoopMount mount;
    if (const auto reason = mount.mount({"ext4", {"mkfs.ext4", "-q"}, 16}, "data=journal")) {
        GTEST_SKIP() << *reason;
    }
    const auto schedule = parse_schedule("mmapstress-schedule 1\nseed 1\n"
                                         "file 0 size=8192 start=written+fsync\n"
                                         "1 store file=0 off=100 len=200\n"
                                         "2 direct-read-store file=0 off=512 len=512\n");
    ASSERT_TRUE(schedule) << schedule.error().message();
    RunSettings settings;
    settings.directory = mount.path();
    settings.may_have = kinds_in(*schedule);
    const auto result = run(settings, source_of(*schedule), nullptr);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->verdict(), Verdict::clean);
    EXPECT_EQ(result->ops, 1U);
    EXPECT_TRUE(result->journals_data);
    ASSERT_EQ(result->left_out.size(), 1U);
    EXPECT_EQ(result->left_out[0].operation, "direct-read-store");
    EXPECT_NE(result->left_out[0].reason.find("--may-hang"), std::string::npos);
}

/// Overlayfs with its upper directory on ext4.
class OnOverlay : public testing::Test {
  protected:
    void SetUp() override {
        if (const auto reason =
                below_.mount({"ext4", {"mkfs.ext4", "-q", "-b", "4096"}, 64}, "rw")) {
            GTEST_SKIP() << *reason;
        }
        for (const char* name : {"lower", "upper", "work", "merged"}) {
            fs::create_directory(below_.path() / name);
        }
        const std::string below = below_.path();
        const auto mounted = partialfs::testing::run_program(
            {"mount", "-t", "overlay", "overlay", "-o",
             "lowerdir=" + below + "/lower,upperdir=" + below + "/upper,workdir=" + below + "/work",
             path()});
        if (mounted.code != 0) {
            GTEST_SKIP() << "overlayfs cannot be mounted here: " << mounted.errors;
        }
        mounted_ = true;
    }
    void TearDown() override {
        if (mounted_) {
            EXPECT_EQ(::umount2(path().c_str(), MNT_DETACH), 0);
        }
    }
    [[nodiscard]] fs::path path() const { return below_.path() / "merged"; }

  private:
    LoopMount below_;
    bool mounted_ = false;
};

TEST_F(OnOverlay, IsClean) {
    expect_clean(path());
}

TEST_F(OnOverlay, PagesInTheCacheAreSeen) {
    constexpr std::uint64_t kPages = 16;
    const auto fd = partialfs::base::Fd::open(AT_FDCWD, (path() / "file").c_str(),
                                              O_RDWR | O_CREAT | O_EXCL, 0600);
    ASSERT_TRUE(fd);
    const std::vector<char> bytes(kPages * kPageSize, 'x');
    ASSERT_EQ(::pwrite(fd->get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
    ASSERT_EQ(::fsync(fd->get()), 0);
    const ByteCount size{bytes.size()};
    EXPECT_EQ(cached_pages(fd->get(), size).value(), kPages);
    const auto dropped = drop_pages(fd->get(), size);
    EXPECT_TRUE(dropped) << dropped.error().message();
    EXPECT_EQ(cached_pages(fd->get(), size).value(), 0U);
}

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
    EXPECT_EQ(result.error().verdict, Verdict::usage);
    EXPECT_NE(result.error().message.find("Read-only file system"), std::string::npos);
}

} // namespace
} // namespace mmapstress
