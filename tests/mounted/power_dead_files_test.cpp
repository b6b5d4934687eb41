// Files open before a power cut are dead for good: they change nothing after the cut, and nothing
// of them remains.
#include "tests/mounted/power_of.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

namespace partialfs::testing {
namespace {

TEST_F(PowerOf, AMappingFromBeforeACutReachesNothingAfterIt) {
    start();
    put("file", std::string(16384, 'a'), true);
    const Fd old = open("file");
    std::byte* const bytes = map(old, 16384);
    bytes[0] = std::byte{'x'};
    ASSERT_EQ(tell("cut-and-on"), 0);
    EXPECT_TRUE(gets_sigbus([&] { bytes[1] = std::byte{'y'}; }));
    EXPECT_TRUE(gets_sigbus([&] { bytes[9000] = std::byte{'y'}; })) << "a page that was clean";
    EXPECT_EQ(::pwrite(old.get(), "z", 1, 0), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(::fsync(old.get()), -1);
    EXPECT_EQ(errno, EIO);
    struct stat before{};
    EXPECT_EQ(::fstat(old.get(), &before), -1);
    EXPECT_EQ(::lseek(old.get(), 0, SEEK_HOLE), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(::fallocate(old.get(), 0, 0, 65536), -1);
    EXPECT_EQ(errno, EIO);

    const Fd fresh = open("file", O_RDWR);
    ASSERT_TRUE(fresh);
    std::byte* const again = map(fresh, 16384);
    EXPECT_EQ(again[0], std::byte{'a'});
    again[2] = std::byte{'n'};
    EXPECT_EQ(::msync(bytes, 16384, MS_SYNC), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(::fsync(fresh.get()), 0);
    ::munmap(bytes, 16384);
    ::munmap(again, 16384);
    EXPECT_EQ(content("file").substr(0, 4), "aana");
    EXPECT_EQ(read_file(mount_.source() / "file").substr(0, 4), "aana");
}

TEST_F(PowerOf, AnErrorOfTheOldBootsWritebackIsNotForTheNext) {
    start();
    put("file", std::string(4096, 'a'), true);
    const Fd old = open("file");
    std::byte* const bytes = map(old, 4096);
    bytes[0] = std::byte{'x'};
    ASSERT_EQ(tell("cut-and-on"), 0);
    put("other", "text", true);
    const Fd fresh = open("other");
    EXPECT_EQ(::syncfs(fresh.get()), 0) << std::strerror(errno);
    ::munmap(bytes, 4096);
}

/// The same with a process that keeps storing: pages dirtied while they are being dropped still
/// belong to a dead file.
TEST_F(PowerOf, AProcessThatGoesOnStoringReachesNothingAfterACut) {
    start();
    constexpr std::size_t kSize = 1U << 20U;
    for (int round = 0; round < 10; ++round) {
        put("file", std::string(kSize, 'a'), true);
        int ready[2];
        ASSERT_EQ(::pipe(ready), 0);
        const pid_t child = ::fork();
        if (child == 0) {
            ::signal(SIGBUS, SIG_DFL);
            const Fd fd = open("file", O_RDWR);
            std::byte* const bytes = map(fd, kSize);
            for (std::size_t i = 0;; i = (i + 4096 + 1) % kSize) {
                bytes[i] = std::byte{'x'};
                if (i == 0) {
                    static_cast<void>(::write(ready[1], "r", 1));
                }
            }
        }
        char byte = 0;
        ASSERT_EQ(::read(ready[0], &byte, 1), 1);
        ASSERT_EQ(tell("cut tear=none"), 0);
        ASSERT_EQ(tell("on"), 0);
        put("file", std::string(kSize, 'b'), true);
        int status = 0;
        ::waitpid(child, &status, 0); // it gets SIGBUS at a page that is gone
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) << status;
        ::sync();
        EXPECT_EQ(content("file"), std::string(kSize, 'b'));
        EXPECT_EQ(read_file(mount_.source() / "file"), std::string(kSize, 'b'));
        ::close(ready[0]);
        ::close(ready[1]);
    }
}

TEST_F(PowerOf, OfDeadFilesTheDaemonKeepsNothing) {
    start();
    const auto descriptors = [&] {
        const auto all = "/proc/" + std::to_string(mount_.daemon()) + "/fd";
        return std::distance(std::filesystem::directory_iterator(all),
                             std::filesystem::directory_iterator());
    };
    put("file", std::string(8192, 'a'), true);
    const auto before = descriptors();
    constexpr int kCuts = 20;
    for (int cut = 0; cut < kCuts; ++cut) {
        const Fd fd = open("file");
        std::byte* const bytes = map(fd, 8192);
        bytes[0] = std::byte{'x'};
        write(fd, 4096, "y");
        EXPECT_EQ(mount_.write_control("commit", "now"), 0); // the commit looks for stored pages
        ASSERT_EQ(tell("cut-and-on"), 0);
        ::munmap(bytes, 8192);
    }
    EXPECT_TRUE(wait_until([&] { return descriptors() < before + kCuts; }))
        << descriptors() << " of " << before;
}

} // namespace
} // namespace partialfs::testing
