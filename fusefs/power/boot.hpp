// One boot of the emulated machine: from power on until the power is cut.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/model/types.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>

namespace partialfs::power {

/// Counted from 1.
using BootNumber = model::Strong<struct BootTag>;

/// The access to SOURCE for the files of one boot: their data goes through this, and after a cut
/// all its operations fail with EIO. So a late thread cannot write anything after the cut.
///
/// Thread-safe.
class Boot final : public backing::FileIo {
  public:
    /// `io` carries out the operations.
    Boot(BootNumber number, backing::FileIo& io) : number_(number), io_(io) {}

    [[nodiscard]] BootNumber number() const { return number_; }
    /// The power is gone: from now on enter() returns false.
    void end() { ended_ = true; }
    [[nodiscard]] bool ended() const { return ended_; }
    /// Waits until all threads that have entered have left. To be called after end(), by a thread
    /// that has not entered.
    void wait_until_left() const {
        for (int inside = inside_; inside != 0; inside = inside_) {
            inside_.wait(inside);
        }
    }

    /// To be called before working on SOURCE. If it returns true, leave() must follow.
    [[nodiscard]] bool enter() {
        ++inside_; // before checking: either wait_until_left() sees this, or this sees end()
        if (!ended_) {
            return true;
        }
        leave();
        return false;
    }
    void leave() {
        if (--inside_ == 0) {
            inside_.notify_all();
        }
    }

    [[nodiscard]] bool may_read_directly() const override { return io_.may_read_directly(); }
    ssize_t pread(int fd, void* data, std::size_t size, off_t offset) override {
        return inside([&] { return io_.pread(fd, data, size, offset); });
    }
    ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) override {
        return inside([&] { return io_.pwritev(fd, parts, count, offset); });
    }
    int fdatasync(int fd) override {
        return inside([&] { return io_.fdatasync(fd); });
    }
    int fsync(int fd) override {
        return inside([&] { return io_.fsync(fd); });
    }
    int syncfs(int fd) override {
        return inside([&] { return io_.syncfs(fd); });
    }
    int ftruncate(int fd, off_t size) override {
        return inside([&] { return io_.ftruncate(fd, size); });
    }
    int fallocate(int fd, int mode, off_t offset, off_t length) override {
        return inside([&] { return io_.fallocate(fd, mode, offset, length); });
    }
    int futimens(int fd, const timespec times[2]) override {
        return inside([&] { return io_.futimens(fd, times); });
    }

  private:
    class Leaver {
      public:
        explicit Leaver(Boot& boot) : boot_(boot) {}
        Leaver(const Leaver&) = delete;
        Leaver& operator=(const Leaver&) = delete;
        ~Leaver() { boot_.leave(); }

      private:
        Boot& boot_;
    };
    template <typename Call>
    auto inside(Call call) -> decltype(call()) {
        if (!enter()) {
            errno = EIO;
            return -1;
        }
        const Leaver leaver(*this);
        return call();
    }

    const BootNumber number_;
    backing::FileIo& io_;
    std::atomic<bool> ended_{false};
    std::atomic<int> inside_{0};
};

} // namespace partialfs::power
