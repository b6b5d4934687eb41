#include "fusefs/power/boot.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace partialfs::power {
namespace {

TEST(Boot, NothingReachesTheDiskOnceItHasEnded) {
    backing::FileIo io;
    Boot boot(BootNumber{1}, io);
    const int fd = ::memfd_create("boot", MFD_CLOEXEC);
    char byte = 'a';
    const iovec part{&byte, 1};
    EXPECT_EQ(boot.pwritev(fd, &part, 1, 0), 1);
    EXPECT_EQ(boot.fdatasync(fd), 0);
    boot.end();
    errno = 0;
    EXPECT_EQ(boot.pwritev(fd, &part, 1, 1), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(boot.fsync(fd), -1) << "a sync that does nothing must not succeed";
    EXPECT_EQ(boot.ftruncate(fd, 0), -1);
    EXPECT_EQ(::lseek(fd, 0, SEEK_END), 1);
    ::close(fd);
}

TEST(Boot, ItsEndIsWaitedForUntilAllHaveLeft) {
    backing::FileIo io;
    Boot boot(BootNumber{1}, io);
    ASSERT_TRUE(boot.enter());
    boot.end();
    EXPECT_FALSE(boot.enter());
    std::atomic<bool> left{false};
    std::thread late([&] {
        left = true;
        boot.leave();
    });
    boot.wait_until_left();
    EXPECT_TRUE(left);
    late.join();
}

} // namespace
} // namespace partialfs::power
