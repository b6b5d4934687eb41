#include "tests/temporary_directory.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/mmapstress/system/memory_group.hpp"
#include "tools/mmapstress/system/memory_pressure.hpp"
#include "tools/mmapstress/system/page_cache.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

namespace mmapstress {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr ByteCount kLimit{16U << 20U};

/// Waits without a limit of its own; the test's timeout ends it.
void wait_until(const std::function<bool()>& condition) {
    while (!condition()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

/// The control group of a process if it is in one of ours, otherwise an empty path.
fs::path group_of(pid_t pid) {
    const auto text = read_file("/proc/" + std::to_string(pid) + "/cgroup");
    const auto places = detail::group_places(text ? *text : "");
    if (places.directories.empty() ||
        fs::path(places.directories.front()).filename() != "mmapstress." + std::to_string(pid)) {
        return {};
    }
    return places.directories.front();
}

bool groups_can_be_made() {
    return MemoryGroup::join(kLimit).has_value();
}

TEST(MemoryGroups, AreFoundInEitherVersionOfControlGroups) {
    using detail::group_places;
    const auto first = group_places("9:name=systemd:/\n4:memory:/a/b\n0::/\n");
    EXPECT_TRUE(first.version_1);
    EXPECT_EQ(first.directories,
              (std::vector<std::string>{"/sys/fs/cgroup/memory/a/b", "/sys/fs/cgroup/memory/a",
                                        "/sys/fs/cgroup/memory"}));
    const auto second = group_places("0::/user.slice/session-1.scope\n");
    EXPECT_FALSE(second.version_1);
    EXPECT_EQ(second.directories,
              (std::vector<std::string>{"/sys/fs/cgroup/user.slice/session-1.scope",
                                        "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"}));
    EXPECT_EQ(group_places("0::/\n").directories, std::vector<std::string>{"/sys/fs/cgroup"});
    EXPECT_THAT(group_places("").directories, IsEmpty());
    EXPECT_THAT(group_places("nonsense\n:\n").directories, IsEmpty());
}

TEST(MemoryGroups, AreLeftAndRemoved) {
    auto group = MemoryGroup::join(kLimit);
    if (!group) {
        GTEST_SKIP() << group.error().message();
    }
    const fs::path here = group_of(::getpid());
    EXPECT_TRUE(fs::exists(here));
    EXPECT_EQ(group->limit(), kLimit);
    group->leave();
    EXPECT_EQ(group_of(::getpid()), fs::path());
    EXPECT_FALSE(fs::exists(here));
}

TEST(MemoryGroups, AreRemovedAfterAKill) {
    if (!groups_can_be_made()) {
        GTEST_SKIP() << "no memory control group may be made here";
    }
    const pid_t child = ::fork();
    if (child == 0) {
        const auto group = MemoryGroup::join(kLimit);
        while (group) {
            ::pause();
        }
        ::_exit(1);
    }
    fs::path group;
    wait_until([&] { return !(group = group_of(child)).empty(); });
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    wait_until([&] { return !fs::exists(group); });
}

TEST(MemoryGroups, DoNotKillWhoNeedsMoreThanTheLimit) {
    if (!groups_can_be_made()) {
        GTEST_SKIP() << "no memory control group may be made here";
    }
    const pid_t child = ::fork();
    if (child == 0) {
        auto group = MemoryGroup::join(kLimit);
        if (!group) {
            ::_exit(1);
        }
        // Memory that cannot be reclaimed unless there is swap.
        const std::size_t size = 2 * kLimit.value;
        void* const memory =
            ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        std::memset(memory, 1, size);
        const bool raised = group->limit() > kLimit;
        group->leave();
        const bool version_1 = detail::group_places(*read_file("/proc/self/cgroup")).version_1;
        ::_exit(raised || !version_1 ? 0 : 2);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(MemoryPressures, AreOfSomeSize) {
    EXPECT_FALSE(MemoryPressure::apply(ByteCount{kLimit.value - 1}, "ext4"));
    const auto none = MemoryPressure::apply(ByteCount{0}, "ext4");
    ASSERT_TRUE(none);
    EXPECT_EQ(none->how(), "");
    EXPECT_EQ(none->by_hand(), ByteCount{0});
}

TEST(MemoryPressures, AreHelpedAlongByHandUnderFuse) {
    if (!groups_can_be_made()) {
        GTEST_SKIP() << "no memory control group may be made here";
    }
    const auto plain = MemoryPressure::apply(kLimit, "ext4");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->how(), "16 MiB by a control group");
    EXPECT_EQ(plain->by_hand(), ByteCount{0});
    const auto fuse = MemoryPressure::apply(kLimit, "fuse.sshfs");
    ASSERT_TRUE(fuse);
    EXPECT_THAT(fuse->how(), StartsWith("16 MiB by a control group"));
    EXPECT_GT(fuse->by_hand(), ByteCount{0});
}

TEST(MemoryPressures, AreMadeByHandWhereABallastWouldBeLarge) {
    auto pressure = MemoryPressure::apply(kLimit, "ext4", false, ByteCount{0});
    if (!pages_can_be_asked_to_leave()) {
        ASSERT_FALSE(pressure);
        EXPECT_THAT(pressure.error().message(), HasSubstr("MADV_PAGEOUT"));
        return;
    }
    ASSERT_TRUE(pressure) << pressure.error().message();
    EXPECT_EQ(pressure->how(), "16 MiB by asking for writeback and reclaim");
    EXPECT_GT(pressure->by_hand(), ByteCount{0});
    pressure->release();
    EXPECT_EQ(pressure->how(), "");
}

TEST(MemoryPressures, AreABallastWhereThatIsSmall) {
    const auto text = read_file("/proc/meminfo");
    ASSERT_TRUE(text);
    const std::size_t at = text->find("MemAvailable:");
    ASSERT_NE(at, std::string::npos);
    const std::uint64_t available = std::stoull(text->substr(at + 13)) * 1024;
    // A margin, as the available memory changes all the time.
    constexpr std::uint64_t kBallast = std::uint64_t{512} << 20U;
    if (available < 3 * kBallast) {
        GTEST_SKIP() << "needs 1.5 GiB of memory";
    }
    const auto pressure = MemoryPressure::apply(ByteCount{available - kBallast}, "ext4", false);
    ASSERT_TRUE(pressure) << pressure.error().message();
    EXPECT_THAT(pressure->how(), HasSubstr(" by a ballast of "));
    EXPECT_EQ(pressure->by_hand(), ByteCount{0});
}

TEST(Pages, LeaveWhenAskedAndKeepTheirBytes) {
    const partialfs::testing::TemporaryDirectory directory;
    struct statfs system{};
    ASSERT_EQ(::statfs(directory.path().c_str(), &system), 0);
    constexpr long kTmpfs = 0x01021994;
    if (system.f_type == kTmpfs || !pages_can_be_asked_to_leave()) {
        GTEST_SKIP() << "needs a temporary directory on disk and Linux 5.4";
    }
    const auto file = partialfs::base::Fd::open(AT_FDCWD, (directory.path() / "file").c_str(),
                                                O_RDWR | O_CREAT, 0600);
    ASSERT_TRUE(file);
    constexpr ByteCount kSize{1U << 20U};
    ASSERT_EQ(::ftruncate(file->get(), static_cast<off_t>(kSize.value)), 0);
    void* const memory =
        ::mmap(nullptr, kSize.value, PROT_READ | PROT_WRITE, MAP_SHARED, file->get(), 0);
    ASSERT_NE(memory, MAP_FAILED);
    const std::span bytes(static_cast<std::byte*>(memory), kSize.value);
    std::ranges::fill(bytes, std::byte{7});
    ASSERT_NE(cached_pages(file->get(), kSize).value(), 0U);
    // At first they are dirty, then being written.
    wait_until([&] {
        ask_to_leave(bytes, file->get());
        return cached_pages(file->get(), kSize).value() == 0;
    });
    EXPECT_EQ(std::ranges::count(bytes, std::byte{7}), static_cast<std::ptrdiff_t>(kSize.value));
    ::munmap(memory, kSize.value);
}

} // namespace
} // namespace mmapstress
