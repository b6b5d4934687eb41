// The journal's way to its backing file, watched.
#pragma once

#include "fusefs/backing/faulty_io.hpp"

#include <string>
#include <vector>

namespace partialfs::file {

/// Notes what reaches the backing file, in order, and fails as it is told to.
class WatchedIo final : public backing::FileIo {
  public:
    backing::FaultyIo faults;
    std::vector<std::string> calls;

    [[nodiscard]] bool may_read_directly() const override { return false; }
    ssize_t pread(int fd, void* data, std::size_t size, off_t offset) override {
        return faults.pread(fd, data, size, offset);
    }
    ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) override {
        const ssize_t put = faults.pwritev(fd, parts, count, offset);
        calls.push_back("write " + std::to_string(offset) + "+" + std::to_string(put));
        return put;
    }
    int fdatasync(int fd) override {
        calls.emplace_back("fdatasync");
        return faults.fdatasync(fd);
    }
    int fsync(int fd) override {
        calls.emplace_back("fsync");
        return faults.fsync(fd);
    }
    int syncfs(int fd) override {
        calls.emplace_back("syncfs");
        return faults.syncfs(fd);
    }
    int ftruncate(int fd, off_t size) override {
        calls.push_back("truncate " + std::to_string(size));
        return faults.ftruncate(fd, size);
    }
    int fallocate(int fd, int mode, off_t offset, off_t length) override {
        return faults.fallocate(fd, mode, offset, length);
    }
    int futimens(int fd, const timespec times[2]) override {
        calls.emplace_back("times");
        return faults.futimens(fd, times);
    }
};

} // namespace partialfs::file
