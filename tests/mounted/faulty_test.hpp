// What the tests of failing backing files share: a mount whose accesses to SOURCE fail by given
// rules.
#pragma once

#include "tests/mounted/mounted_test.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

namespace partialfs::testing {

/// 0, or the errno if the call returned -1.
inline int error_of(long result) {
    return result < 0 ? errno : 0;
}

/// A running mount for each test, without a commit timer; mount_->set_faults() chooses what fails.
class Faulty : public Mounted {
  protected:
    void SetUp() override {
        SKIP_IF_MOUNTING_IS_IMPOSSIBLE();
        mount_.emplace();
        mount_->start(
            {"--contract=linux-2.6.20", "--commit-interval=0", "--dirty-limit=" + dirty_limit_});
    }
    int open(const char* name, int flags = O_CREAT | O_RDWR) {
        return ::open((mount_->path() / name).c_str(), flags | O_CLOEXEC, 0644);
    }
    /// Requests a commit through the control file. Returns 0 or its errno.
    int commit() {
        const int fd = ::open((mount_->path() / ".partialfs/commit").c_str(), O_WRONLY | O_CLOEXEC);
        const int error = error_of(::write(fd, "1", 1));
        ::close(fd);
        return error;
    }
    std::string on_disk(const char* name) {
        std::ostringstream text;
        text << std::ifstream(mount_->source() / name).rdbuf();
        return text.str();
    }

    std::string dirty_limit_ = "256M";
};

} // namespace partialfs::testing
