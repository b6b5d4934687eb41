// Files that can only be appended to (chattr +a).
#include "tests/mounted/mounted_test.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace partialfs::testing {
namespace {

namespace fs = std::filesystem;

class AppendOnly : public Mounted {
  protected:
    void SetUp() override {
        Mounted::SetUp();
        if (IsSkipped()) {
            return;
        }
        std::ofstream(mount().source() / "log") << "first\n";
        source_ = ::open((mount().source() / "log").c_str(), O_RDONLY | O_CLOEXEC);
        if (!set_append_only(true)) {
            GTEST_SKIP() << "the filesystem of " << mount().source() << " has no append-only files";
        }
    }
    void TearDown() override {
        EXPECT_TRUE(IsSkipped() || set_append_only(false)); // so that it can be removed
        ::close(source_);
        Mounted::TearDown();
    }
    /// Keeps the other flags: without its extents flag, ext4 would try to convert the file, and
    /// sometimes refuse.
    [[nodiscard]] bool set_append_only(bool on) const {
        int flags = 0;
        if (::ioctl(source_, FS_IOC_GETFLAGS, &flags) != 0) {
            return false;
        }
        flags = on ? flags | FS_APPEND_FL : flags & ~FS_APPEND_FL;
        return ::ioctl(source_, FS_IOC_SETFLAGS, &flags) == 0;
    }
    [[nodiscard]] int open(int flags) {
        return ::open((mount().path() / "log").c_str(), flags | O_CLOEXEC);
    }
    static std::string text_of(const fs::path& file) {
        std::ostringstream text;
        text << std::ifstream(file).rdbuf();
        return text.str();
    }

    int source_ = -1;
};

TEST_F(AppendOnly, ItIsAppendedToAndNothingElse) {
    EXPECT_EQ(open(O_WRONLY), -1);
    EXPECT_EQ(errno, EPERM);
    std::string expected = "first\n";
    for (int round = 0; round < 50; ++round) {
        const int fd = open(O_WRONLY | O_APPEND);
        ASSERT_GE(fd, 0);
        const std::string line = "line " + std::to_string(round) + "\n";
        for (int twice = 0; twice < 2; ++twice) {
            ASSERT_EQ(::write(fd, line.data(), line.size()), static_cast<ssize_t>(line.size()));
            expected += line;
        }
        EXPECT_EQ(::ftruncate(fd, 0), -1);
        EXPECT_EQ(errno, EPERM);
        if (round % 3 == 0) {
            EXPECT_EQ(::fsync(fd), 0);
            EXPECT_EQ(text_of(mount().source() / "log"), expected);
        }
        ::close(fd);
        EXPECT_EQ(text_of(mount().path() / "log"), expected);
    }
    EXPECT_EQ(::unlink((mount().path() / "log").c_str()), -1);
    EXPECT_EQ(errno, EPERM);
}

TEST_F(AppendOnly, AStoreIntoWhatIsThereIsRefusedAndSaidSo) {
    const int fd = open(O_RDWR | O_APPEND);
    ASSERT_GE(fd, 0);
    void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ASSERT_NE(memory, MAP_FAILED);
    static_cast<char*>(memory)[0] = 'F';
    EXPECT_EQ(::msync(memory, 4096, MS_SYNC), -1);
    EXPECT_EQ(errno, EPERM);
    ::munmap(memory, 4096);
    ::close(fd);
    EXPECT_EQ(text_of(mount().source() / "log"), "first\n");
}

} // namespace
} // namespace partialfs::testing
