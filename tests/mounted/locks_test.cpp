// Locks of both kinds between processes, on the mount as on a plain directory.
#include "tests/mounted/mounted_test.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <functional>

namespace partialfs::testing {
namespace {

using Locks = Mounted;

/// Tries a lock in another process. Returns 0 or its errno.
int try_elsewhere(const std::string& path, const std::function<int(int)>& lock) {
    const pid_t child = ::fork();
    if (child == 0) {
        const int fd = ::open(path.c_str(), O_RDWR);
        ::_exit(fd < 0 || lock(fd) == 0 ? 0 : errno);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

TEST_F(Locks, KeepOthersOut) {
    expect_same(mount(), [](Script& s) {
        const int fd = s.open("file", O_CREAT | O_RDWR);
        const std::string path = s.at("file");
        const auto posix = [](short type, off_t start, off_t length) {
            return [=](int file) {
                struct flock lock{};
                lock.l_type = type;
                lock.l_whence = SEEK_SET;
                lock.l_start = start;
                lock.l_len = length;
                return ::fcntl(file, F_SETLK, &lock);
            };
        };
        const auto elsewhere = [&](const char* what, const std::function<int(int)>& lock) {
            s.note(std::string(what) + " elsewhere: " + errno_name(try_elsewhere(path, lock)));
        };
        s.call("write lock", posix(F_WRLCK, 100, 100)(fd));
        elsewhere("overlapping write lock", posix(F_WRLCK, 150, 10));
        elsewhere("other write lock", posix(F_WRLCK, 200, 10));
        elsewhere("read lock", posix(F_RDLCK, 0, 0));
        s.call("downgrade", posix(F_RDLCK, 100, 100)(fd));
        elsewhere("read lock", posix(F_RDLCK, 0, 0));
        s.call("unlock", posix(F_UNLCK, 0, 0)(fd));
        elsewhere("write lock", posix(F_WRLCK, 0, 0));
        s.call("flock", ::flock(fd, LOCK_EX | LOCK_NB));
        elsewhere("flock", [](int file) { return ::flock(file, LOCK_SH | LOCK_NB); });
        s.call("flock shared", ::flock(fd, LOCK_SH));
        elsewhere("flock", [](int file) { return ::flock(file, LOCK_SH | LOCK_NB); });
        elsewhere("flock exclusive", [](int file) { return ::flock(file, LOCK_EX | LOCK_NB); });
        s.call("unlock", ::flock(fd, LOCK_UN));
        elsewhere("flock exclusive", [](int file) { return ::flock(file, LOCK_EX | LOCK_NB); });
        struct flock open_file{};
        open_file.l_type = F_WRLCK;
        s.call("open file description lock", ::fcntl(fd, F_OFD_SETLK, &open_file));
        elsewhere("write lock", posix(F_WRLCK, 0, 0));
        s.call("a lease is not needed", ::fcntl(fd, F_GETLK, &open_file));
    });
}

} // namespace
} // namespace partialfs::testing
