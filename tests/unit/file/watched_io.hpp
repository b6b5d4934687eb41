// A FileIo for the journal's backing file that records all calls.
#pragma once

#include "fusefs/faults/faulty_io.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace partialfs::file {

/// Records the calls that reach the backing file, in order, and fails by given rules.
class WatchedIo final : public backing::FileIo {
  public:
    faults::FaultBook rules;
    faults::FaultyIo disk{rules, "/"};
    std::vector<std::string> calls;
    /// Called within each write, before the file is written.
    std::function<void()> during_write = [] {};

    /// Replaces the rules in force.
    void set_faults(const std::string& lines) {
        if (const auto done = rules.change("clear\n" + lines); !done) {
            throw std::invalid_argument(done.error().message());
        }
    }

    [[nodiscard]] bool may_read_directly() const override { return false; }
    ssize_t pread(int fd, void* data, std::size_t size, off_t offset) override {
        return disk.pread(fd, data, size, offset);
    }
    ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) override {
        during_write();
        const ssize_t put = disk.pwritev(fd, parts, count, offset);
        calls.push_back("write " + std::to_string(offset) + "+" + std::to_string(put));
        return put;
    }
    int fdatasync(int fd) override {
        calls.emplace_back("fdatasync");
        return disk.fdatasync(fd);
    }
    int fsync(int fd) override {
        calls.emplace_back("fsync");
        return disk.fsync(fd);
    }
    int syncfs(int fd) override {
        calls.emplace_back("syncfs");
        return disk.syncfs(fd);
    }
    int ftruncate(int fd, off_t size) override {
        calls.push_back("truncate " + std::to_string(size));
        return disk.ftruncate(fd, size);
    }
    int fallocate(int fd, int mode, off_t offset, off_t length) override {
        return disk.fallocate(fd, mode, offset, length);
    }
    int futimens(int fd, const timespec times[2]) override {
        calls.emplace_back("times");
        return disk.futimens(fd, times);
    }
};

} // namespace partialfs::file
