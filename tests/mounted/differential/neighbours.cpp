#include "tests/mounted/differential/neighbours.hpp"

#include "fusefs/base/fd.hpp"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>

namespace partialfs::differential {
namespace {

namespace fs = std::filesystem;

/// A pause in each loop leaves processor time to the processes that are disturbed.
constexpr useconds_t kPauseMicroseconds = 500;

[[noreturn]] void write_and_sync(const fs::path& mount) {
    const fs::path path = mount / "neighbour";
    const base::Fd file(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
    for (off_t at = 0;; at = (at + 1) % 8192) {
        if (::pwrite(file.get(), "n", 1, at) != 1 || ::fsync(file.get()) != 0) {
            ::_exit(1);
        }
        ::usleep(kPauseMicroseconds);
    }
}

[[noreturn]] void look_around(const fs::path& mount) {
    for (;;) {
        std::error_code error;
        for (fs::recursive_directory_iterator entry(mount, error), end; !error && entry != end;
             entry.increment(error)) {
            struct stat status{};
            for (int i = 0; i < 10; ++i) {
                ::lstat(entry->path().c_str(), &status);
            }
            ::lgetxattr(entry->path().c_str(), "user.a", nullptr, 0);
        }
        ::usleep(kPauseMicroseconds);
    }
}

pid_t start(void (*work)(const fs::path&), const fs::path& mount) {
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) {
        throw std::system_error(errno, std::generic_category(), "fork");
    }
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() == parent) {
            work(mount);
        }
        ::_exit(1);
    }
    return child;
}

} // namespace

Neighbours::Neighbours(const fs::path& mount) {
    processes_.reserve(2);
    processes_.push_back(start(write_and_sync, mount));
    processes_.push_back(start(look_around, mount));
}

Neighbours::~Neighbours() {
    for (const pid_t process : processes_) {
        ::kill(process, SIGKILL);
        while (::waitpid(process, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
}

} // namespace partialfs::differential
