#include "fusefs/backing/filesystem_sync.hpp"
#include "tests/temporary_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace partialfs::backing {
namespace {

TEST(FilesystemSync, TellsErrorsSinceLinux5Point17) {
    for (const char* release : {"5.17.0", "5.17", "5.19.0-28-amd64", "6.1.0-13-amd64", "10.0"}) {
        EXPECT_TRUE(syncfs_tells_errors(release)) << release;
    }
    for (const char* release : {"5.16.19", "5.8", "4.19.0", "2.6.20", "5", "", "x", "6", "5.x"}) {
        EXPECT_FALSE(syncfs_tells_errors(release)) << release;
    }
}

TEST(FilesystemSync, CoversTheDeviceItIsOf) {
    const partialfs::testing::TemporaryDirectory directory;
    struct stat status{};
    ASSERT_EQ(::stat(directory.path().c_str(), &status), 0);
    const FilesystemSync one(*base::Fd::open(AT_FDCWD, directory.path().c_str(), O_RDONLY),
                             status.st_dev);
    EXPECT_TRUE(one.covers(status.st_dev));
    EXPECT_FALSE(one.covers(status.st_dev + 1));
    EXPECT_FALSE(FilesystemSync().covers(0));
}

TEST(FilesystemSync, CoversNothingWhereItWouldNotReachTheDisk) {
    struct stat status{};
    ASSERT_EQ(::stat("/proc", &status), 0);
    EXPECT_FALSE(filesystem_sync_of("/proc").covers(status.st_dev));
    EXPECT_FALSE(filesystem_sync_of("/no/such/directory").covers(0));
    if (::stat("/dev/shm", &status) == 0) { // a tmpfs
        EXPECT_TRUE(filesystem_sync_of("/dev/shm").covers(status.st_dev));
    }
}

} // namespace
} // namespace partialfs::backing
