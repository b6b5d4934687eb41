// The daemon uses few descriptors, and programs do not notice.
#include "tests/mounted/mounted_test.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

namespace partialfs::testing {
namespace {

class Descriptors : public Mounted {
  protected:
    /// Starts the daemon anew with a limit of `descriptors`, which it has no right to raise.
    void start_with(int descriptors, const char* interval = "5s") {
        mount().stop();
        const std::string limit = std::to_string(descriptors);
        mount().set_wrapper({"prlimit", "--nofile=" + limit + ":" + limit, "setpriv",
                             "--bounding-set=-sys_resource"});
        mount().start({"--contract", "linux-2.6.20", "--commit-interval", interval});
    }
    [[nodiscard]] std::string at(int number) const {
        return mount_->path() / ("file" + std::to_string(number));
    }
    static int create(const std::string& path) {
        return ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
    }
};

/// A program that creates and removes files one at a time has at most one open.
TEST_F(Descriptors, FilesMadeAndRemovedOneAtATimeCostNone) {
    start_with(500);
    for (const bool written : {false, true}) {
        for (int i = 0; i < 3000; ++i) {
            const int fd = create(at(i));
            ASSERT_GE(fd, 0) << i << ": " << errno_name(errno);
            if (written) {
                ASSERT_EQ(::write(fd, "text", 4), 4);
            }
            ::close(fd);
            ASSERT_EQ(::unlink(at(i).c_str()), 0) << i << ": " << errno_name(errno);
        }
    }
}

/// So many files are held open that the daemon asks the kernel to forget some.
TEST_F(Descriptors, AreOneForEachFileThatIsHeldOpen) {
    constexpr int kDescriptors = 500;
    // For the daemon's own needs, and for files looked up in between.
    constexpr int kSpare = 80;
    for (const char* interval : {"5s", "5ms"}) {
        start_with(kDescriptors, interval);
        std::vector<int> held;
        for (int i = 0; i < kDescriptors - kSpare; ++i) {
            held.push_back(create(at(i)));
            ASSERT_GE(held.back(), 0) << i << ": " << errno_name(errno);
            ASSERT_EQ(::pwrite(held.back(), "text", 4, i), 4);
        }
        for (std::size_t i = 0; i < held.size(); ++i) {
            std::string text(4, '\0');
            const off_t offset = static_cast<off_t>(i);
            EXPECT_EQ(::pread(held[i], text.data(), 4, offset), 4);
            EXPECT_EQ(text, "text");
            ::close(held[i]);
        }
        for (std::size_t i = 0; i < held.size(); ++i) {
            const std::string path = at(static_cast<int>(i));
            struct stat status{};
            ASSERT_EQ(::stat(path.c_str(), &status), 0) << errno_name(errno);
            EXPECT_EQ(status.st_size, static_cast<off_t>(i) + 4);
            EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
            EXPECT_EQ(::unlink(path.c_str()), 0);
        }
    }
}

/// With very few descriptors ordinary work is slower, but still correct.
TEST_F(Descriptors, AVeryFewAreEnoughForOrdinaryWork) {
    start_with(120);
    for (int i = 0; i < 300; ++i) {
        const int fd = create(at(i));
        ASSERT_GE(fd, 0) << i << ": " << errno_name(errno);
        ASSERT_EQ(::write(fd, "text", 4), 4) << errno_name(errno);
        ASSERT_EQ(::close(fd), 0);
        ASSERT_EQ(::rename(at(i).c_str(), (at(i) + ".moved").c_str()), 0) << errno_name(errno);
    }
    int found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(mount().path())) {
        found += entry.file_size() == 4 ? 1 : 0;
    }
    EXPECT_EQ(found, 300);
}

} // namespace
} // namespace partialfs::testing
