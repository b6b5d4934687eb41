// Time stamps: set exactly, and changed by the same operations as on a plain directory.
#include "fusefs/base/fd.hpp"
#include "tests/mounted/mounted_test.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace partialfs::testing {
namespace {

using TimeStamps = Mounted;

TEST_F(TimeStamps, TimesAreSetExactly) {
    expect_same(mount(), [](Script& s) {
        const auto times_of = [&](const char* name) {
            struct stat status{};
            ::lstat(s.at(name).c_str(), &status);
            s.note(std::to_string(status.st_atim.tv_sec) + "." +
                   std::to_string(status.st_atim.tv_nsec) + " " +
                   std::to_string(status.st_mtim.tv_sec) + "." +
                   std::to_string(status.st_mtim.tv_nsec));
        };
        const int fd = s.open("file", O_CREAT | O_RDWR, 0644);
        ::mkdir(s.at("dir").c_str(), 0755);
        ::symlink("file", s.at("link").c_str());
        s.fill(fd, 0, 5000, 1); // mtime is not flushed yet: the one set must win
        const std::array times{timespec{1000000001, 5}, timespec{1000000002, 999999999}};
        for (const char* name : {"file", "dir", "link"}) {
            s.call("utimensat",
                   ::utimensat(AT_FDCWD, s.at(name).c_str(), times.data(), AT_SYMLINK_NOFOLLOW));
            times_of(name);
        }
        s.call("fsync", ::fsync(fd));
        times_of("file");
        const std::array only_access{timespec{1, 0}, timespec{0, UTIME_OMIT}};
        s.call("omit", ::futimens(fd, only_access.data()));
        times_of("file");
        const std::array far{timespec{-5, 0}, timespec{4102444800, 1}};
        s.call("before 1970 and 2100", ::futimens(fd, far.data()));
        times_of("file");
        const std::array wrong{timespec{1, 0}, timespec{1, 1000000000}};
        s.call("wrong", ::futimens(fd, wrong.data()));
    });
}

/// Which times an operation moves.
class Times {
  public:
    Times(Script& script, std::string name) : script_(script), name_(std::move(name)) {
        // Coarse clocks tick every 4 ms at worst.
        while (now().tv_nsec / 20'000'000 == latest().tv_nsec / 20'000'000 &&
               now().tv_sec == latest().tv_sec) {
            ::usleep(1000);
        }
        ::lstat(script_.at(name_).c_str(), &before_);
    }
    void note(const char* what) {
        struct stat after{};
        ::lstat(script_.at(name_).c_str(), &after);
        script_.note(std::string(what) + ": mtime " + moved(before_.st_mtim, after.st_mtim) +
                     ", ctime " + moved(before_.st_ctim, after.st_ctim));
    }

  private:
    static timespec now() {
        timespec time{};
        ::clock_gettime(CLOCK_REALTIME, &time);
        return time;
    }
    timespec latest() {
        struct stat status{};
        ::lstat(script_.at(name_).c_str(), &status);
        return status.st_ctim;
    }
    static const char* moved(const timespec& before, const timespec& after) {
        if (before.tv_sec == after.tv_sec && before.tv_nsec == after.tv_nsec) {
            return "stays";
        }
        const bool forward = after.tv_sec > before.tv_sec ||
                             (after.tv_sec == before.tv_sec && after.tv_nsec > before.tv_nsec);
        return forward ? "moves on" : "goes back";
    }

    Script& script_;
    std::string name_;
    struct stat before_{};
};

TEST_F(TimeStamps, TimesMoveWithWhatIsDone) {
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR, 0644);
        ::mkdir(s.at("dir").c_str(), 0755);
        const auto watch = [&](const char* name, const char* what, auto&& action) {
            Times times(s, name);
            action();
            times.note(what);
        };
        watch("file", "write", [&] { s.fill(fd, 0, 100, 1); });
        watch("file", "read", [&] { s.pread(fd, 100, 0); });
        watch("file", "fsync", [&] { ::fsync(fd); });
        watch("file", "chmod", [&] { ::chmod(s.at("file").c_str(), 0600); });
        watch("file", "ftruncate", [&] { ::ftruncate(fd, 50); });
        watch("file", "ftruncate to the same size", [&] { ::ftruncate(fd, 50); });
        watch("file", "fallocate", [&] { ::fallocate(fd, 0, 0, 10000); });
        watch("file", "link", [&] { ::link(s.at("file").c_str(), s.at("l").c_str()); });
        watch("file", "unlink", [&] { ::unlink(s.at("l").c_str()); });
        watch("file", "rename", [&] {
            ::rename(s.at("file").c_str(), s.at("g").c_str());
            ::rename(s.at("g").c_str(), s.at("file").c_str());
        });
        watch("file", "setxattr", [&] { ::fsetxattr(fd, "user.a", "b", 1, 0); });
        watch("dir", "create in it", [&] { s.open("dir/x", O_CREAT | O_RDWR); });
        watch("dir", "unlink in it", [&] { ::unlink(s.at("dir/x").c_str()); });
        watch("file", "O_TRUNC", [&] { s.open("file", O_RDWR | O_TRUNC); });
    });
}

/// A ctime that the mount shows while it holds data back must not be later than SOURCE's own after
/// the flush: SOURCE's is shown once the daemon has forgotten the file.
TEST_F(TimeStamps, NoCtimeIsShownThatSourceLeavesBehind) {
    const auto created = [&](const char* name) {
        return base::Fd(::open((mount().path() / name).c_str(), O_CREAT | O_RDWR, 0644));
    };
    const base::Fd fd = created("file");
    const base::Fd other = created("other");
    for (int i = 0; i < 100; ++i) {
        // Set by a program, so finer than the filesystem's clock.
        std::array<timespec, 2> set{};
        ::clock_gettime(CLOCK_REALTIME, &set[1]);
        ASSERT_EQ(::futimens(other.get(), set.data()), 0);
        struct stat status{};
        ASSERT_EQ(::fstat(other.get(), &status), 0);
        ASSERT_EQ(::pwrite(fd.get(), "x", 1, 0), 1);
        struct stat shown{};
        ASSERT_EQ(::fstat(fd.get(), &shown), 0);
        ASSERT_EQ(::fsync(fd.get()), 0);
        struct stat left{};
        ASSERT_EQ(::stat((mount().source() / "file").c_str(), &left), 0);
        const auto nanoseconds = [](const timespec& time) {
            return time.tv_sec * 1'000'000'000 + time.tv_nsec;
        };
        ASSERT_GE(nanoseconds(left.st_ctim), nanoseconds(shown.st_ctim)) << "round " << i;
    }
}

} // namespace
} // namespace partialfs::testing
