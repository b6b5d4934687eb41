// The owner of a file descriptor.
#pragma once

#include "fusefs/base/errno.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace partialfs::base {

/// Closes its descriptor when it goes out of scope. Moves, never copies.
/// Not thread-safe itself; the descriptor inside may be used by many threads while the owner lives.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) noexcept : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
    /// Gives the descriptor away: the caller closes it.
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }
    void reset() noexcept {
        if (fd_ >= 0) {
            ::close(fd_);
            fd_ = -1;
        }
    }

    /// openat(2) with O_CLOEXEC added. `at` may be AT_FDCWD.
    static Result<Fd> open(int at, const char* name, int flags, mode_t mode = 0) {
        const int fd = ::openat(at, name, flags | O_CLOEXEC, mode);
        if (fd < 0) {
            return last_error();
        }
        return Fd{fd};
    }

  private:
    int fd_ = -1;
};

/// Opens again what `fd` (which may be O_PATH) refers to, with other flags, through /proc/self/fd.
/// Works for unlinked files; the kernel checks the caller's permission on the file again.
Result<Fd> reopen(const Fd& fd, int flags);

} // namespace partialfs::base
