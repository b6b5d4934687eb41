// The daemon uses its own mount to find dirty pages. Nothing that other processes do there may
// cause a deadlock.
#include "tests/mounted/ledger_file.hpp"
#include "tests/mounted/mounted_test.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace partialfs::testing {
namespace {

/// Makes the kernel forget the names that nobody uses.
void drop_names() {
    const int fd = ::open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0) << std::strerror(errno);
    ASSERT_EQ(::write(fd, "2", 1), 1) << std::strerror(errno);
    ::close(fd);
}

// A rename holds the root directory's lock while the daemon flushes the file. For that the daemon
// looks for dirty pages through the control directory, whose name is in the root directory.
TEST_F(Mounted, ARenameInTheRootIsServedWhenTheKernelHasForgottenTheControlDirectory) {
    const auto from = mount().path() / "one";
    const auto to = mount().path() / "two";
    const int fd = ::open(from.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::ftruncate(fd, 8192), 0);
    auto* map =
        static_cast<char*>(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ASSERT_NE(map, MAP_FAILED);
    for (int round = 0; round < 5; ++round) {
        const std::string text = "round " + std::to_string(round);
        std::copy(text.begin(), text.end(), map + 4096);
        ASSERT_EQ(::pwrite(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
        drop_names();
        ASSERT_EQ(::rename(from.c_str(), to.c_str()), 0) << std::strerror(errno);
        ASSERT_EQ(::rename(to.c_str(), from.c_str()), 0) << std::strerror(errno);
        EXPECT_EQ(test::read_file(mount().source() / "one").substr(0, text.size()), text);
    }
    ::munmap(map, 8192);
    ::close(fd);
}

} // namespace
} // namespace partialfs::testing
