// The whole filesystem that files lie on, made durable by one system call.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"

#include <sys/types.h>

#include <string>
#include <string_view>

namespace partialfs::backing {

/// syncfs(2) instead of fdatasync(2) of each file, on a filesystem where syncfs(2) followed by one
/// fdatasync(2) has the same effect: the fdatasync(2) flushes the disk's cache even if it has
/// nothing to write.
/// Immutable, and so thread-safe.
class FilesystemSync {
  public:
    /// On no filesystem: files are synced one by one.
    FilesystemSync() = default;
    /// On `device`; `fd` is an open directory of it.
    FilesystemSync(base::Fd fd, dev_t device) : fd_(std::move(fd)), device_(device) {}

    /// Whether sync() is of use for a file on `device`.
    [[nodiscard]] bool covers(dev_t device) const { return fd_ && device == device_; }
    /// The errno of syncfs(2); EROFS on a filesystem that is, or has become, read-only, where
    /// syncfs(2) does nothing and reports success.
    [[nodiscard]] base::Result<void> sync(FileIo& io) const;

  private:
    base::Fd fd_;
    dev_t device_ = 0;
};

/// For the filesystem of `directory`, if its type is known to write everything (FUSE and overlayfs
/// do not) and the kernel's syncfs(2) reports errors: those of any file since Linux 5.8 (commit
/// 735e4ae5ba28), those of ->sync_fs() (the journal) since 5.17. Otherwise it covers no device.
FilesystemSync filesystem_sync_of(const std::string& directory);

/// Whether a kernel of this release ("6.1.0-13-amd64") is Linux 5.17 or later.
bool syncfs_tells_errors(std::string_view release);

} // namespace partialfs::backing
