#include "fusefs/startup/background.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace partialfs::startup {
namespace {

using base::Fd;

/// Redirects stdin, stdout and stderr to /dev/null.
void let_go_of_terminal() {
    const auto nowhere = Fd::open(AT_FDCWD, "/dev/null", O_RDWR);
    if (nowhere) {
        for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
            ::dup2(nowhere->get(), standard);
        }
    }
}

int wait_for(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
}

/// Waits until the child reports that it is ready, or its end of the pipe is closed because it has
/// ended.
Parent wait_until_ready(const Fd& pipe, pid_t child) {
    char told = 0;
    ssize_t count = 0;
    do {
        count = ::read(pipe.get(), &told, 1);
    } while (count < 0 && errno == EINTR);
    return Parent{count == 1 ? 0 : wait_for(child)};
}

} // namespace

bool Readiness::tell() {
    if (!pipe_) {
        return true;
    }
    // SIGPIPE is ignored by now; EPIPE means that the parent is gone.
    const bool told = ::write(pipe_->get(), "r", 1) == 1;
    pipe_.reset();
    let_go_of_terminal();
    return told;
}

std::expected<std::variant<Readiness, Parent>, int> go_to_background() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return std::unexpected(errno);
    }
    Fd reading(ends[0]);
    Fd writing(ends[1]);
    const pid_t child = ::fork();
    if (child < 0) {
        return std::unexpected(errno);
    }
    if (child > 0) {
        writing.reset();
        return wait_until_ready(reading, child);
    }
    reading.reset();
    ::setsid();
    if (::chdir("/") != 0) {
        return std::unexpected(errno);
    }
    return Readiness(std::move(writing));
}

} // namespace partialfs::startup
