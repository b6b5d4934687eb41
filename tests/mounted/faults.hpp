// What the tests of injected faults share: files on a mount with fault rules.
#pragma once

#include "tests/mounted/faulty_test.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace partialfs::testing {

class Faults : public Faulty {
  protected:
    [[nodiscard]] std::string at(const std::string& name) const { return mount_->path() / name; }
    void write_file(const std::string& name, const std::string& text) const {
        std::ofstream(mount_->path() / name) << text;
    }
    /// Reads the whole file with O_DIRECT, past the page cache.
    std::string read_directly(const char* name) {
        const int fd = open(name, O_RDONLY | O_DIRECT);
        alignas(4096) static char memory[65536];
        const ssize_t got = ::pread(fd, memory, sizeof memory, 0);
        ::close(fd);
        return {memory, got < 0 ? 0 : static_cast<std::size_t>(got)};
    }
    void evict(const std::string& name) const {
        EXPECT_EQ(mount_->write_control("evict", name), 0);
    }
};

} // namespace partialfs::testing
