// The whole filesystem that files lie on, made durable by one system call.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"

#include <sys/types.h>

#include <string>
#include <string_view>

namespace partialfs::backing {

/// syncfs(2), on a filesystem where that and an fdatasync(2) of one more file, which empties the
/// disk's cache whatever there was to write, are as good as fdatasync(2) of each file.
/// Immutable, and so thread-safe.
class FilesystemSync {
  public:
    /// On no filesystem: files are synced one by one.
    FilesystemSync() = default;
    /// On `device`; `fd` is an open directory of it.
    FilesystemSync(base::Fd fd, dev_t device) : fd_(std::move(fd)), device_(device) {}

    /// Whether sync() is of use for a file on `device`.
    [[nodiscard]] bool covers(dev_t device) const { return fd_ && device == device_; }
    /// The errno of syncfs(2); EROFS on a filesystem that is, or has become, read-only: there
    /// syncfs(2) does nothing, and says that all is well.
    [[nodiscard]] base::Result<void> sync(FileIo& io) const;

  private:
    base::Fd fd_;
    dev_t device_ = 0;
};

/// For the filesystem of `directory`, if it is of a kind known to write everything (FUSE and
/// overlayfs are not) and the kernel tells what went wrong: with any file since Linux 5.8 (commit
/// 735e4ae5ba28), with the filesystem's own journal since 5.17, where syncfs(2) returns the error
/// of ->sync_fs(). Else it covers nothing.
FilesystemSync filesystem_sync_of(const std::string& directory);

/// Whether a kernel of this release ("6.1.0-13-amd64") is Linux 5.17 or later.
bool syncfs_tells_errors(std::string_view release);

} // namespace partialfs::backing
