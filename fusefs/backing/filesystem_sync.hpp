// The whole filesystem that files lie on, made durable by one system call.
#pragma once

#include "fusefs/backing/fd.hpp"

#include <sys/types.h>

#include <string>
#include <string_view>

namespace partialfs::backing {

/// What FileIo::syncfs() needs, on a filesystem where that is as good as fdatasync(2) of each file.
/// Immutable, and so thread-safe.
class FilesystemSync {
  public:
    /// On no filesystem: files are synced one by one.
    FilesystemSync() = default;
    /// On `device`; `fd` is an open file or directory of it.
    FilesystemSync(Fd fd, dev_t device) : fd_(std::move(fd)), device_(device) {}

    /// Whether syncfs(2) of fd() makes a file on `device` durable.
    [[nodiscard]] bool covers(dev_t device) const { return fd_ && device == device_; }
    [[nodiscard]] int fd() const { return fd_.get(); }

  private:
    Fd fd_;
    dev_t device_ = 0;
};

/// For the filesystem of `directory`, if syncfs(2) writes everything of that kind of filesystem to
/// the disk (on FUSE and overlayfs it does not) and says so if writing any file has failed, since
/// fd() was opened or was asked last: as Linux does from 5.8 on (commit 735e4ae5ba28). Else it
/// covers nothing.
FilesystemSync filesystem_sync_of(const std::string& directory);

/// Whether a kernel of this release ("6.1.0-13-amd64") is Linux 5.8 or later.
bool syncfs_tells_errors(std::string_view release);

} // namespace partialfs::backing
