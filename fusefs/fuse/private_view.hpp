// The daemon's own way into its mount: a copy of the mount that nobody else sees.
//
// A file that the daemon opens by the mount's path keeps umount(8) from unmounting: EBUSY. One that
// it opens through a detached copy of the mount does not; but the copy keeps the filesystem alive
// when the mount itself is gone, so whoever holds it must watch for that, and let go.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"

#include <cstdint>
#include <string>

namespace partialfs::fuse {

/// Made on one thread; from then on enter(), open() and let_go() are the visitor's alone, in whose
/// file table the copy lives (see visitor.hpp), and the rest is the other threads'.
class PrivateView {
  public:
    /// For what is mounted at `mountpoint`, just now. `directory`, relative to the mount's root, is
    /// where files will be opened.
    PrivateView(std::string mountpoint, std::string directory);

    /// Copies the mount. Without the right to copy mounts (CAP_SYS_ADMIN) files are opened by the
    /// mount's path, and an umount at just that moment is told EBUSY. No request is made.
    void enter();
    /// Finds the directory, so that no later open() waits for a lock of the directories above it.
    /// Without a copy of the mount that holds only until the kernel forgets the names again: to
    /// hold on to the directory would make every umount busy.
    /// Waits for requests of the kernel's to be served.
    void find_directory();
    /// Whether files are opened through a copy of the mount. On the visitor's thread.
    [[nodiscard]] bool is_private() const { return static_cast<bool>(root_); }
    /// openat(2) of a file in the directory. ENODEV once let go. Waits for requests to be served,
    /// and if the directory is not held, for who has a directory above it locked.
    [[nodiscard]] base::Result<base::Fd> open(const std::string& name, int flags) const;
    /// The mount's root directory, for syncfs(2). Errors as open().
    [[nodiscard]] base::Result<base::Fd> open_root() const;
    /// Lets go of the copy. May have the kernel write dirty pages back, which waits for requests
    /// to be served.
    void let_go();

    /// Becomes readable for poll(2) with POLLPRI when mounts come or go; -1 if that cannot be told.
    [[nodiscard]] int mounts_changed_fd() const { return mount_table_.get(); }
    /// Whether the mount is still in the table of mounts.
    [[nodiscard]] bool still_mounted() const;

  private:
    std::string mountpoint_;
    std::string directory_path_;
    std::uint64_t mount_id_ = 0;
    base::Fd mount_table_;
    base::Fd root_; ///< none: files are opened by path
    /// The names of a way walked once can be dropped from the kernel's cache, and to look one up
    /// again waits for its directory's lock. That of the root may be held by a rename which waits
    /// in the daemon for the very commit on whose behalf we look: neither would ever end.
    base::Fd directory_;
    bool gone_ = false;
};

} // namespace partialfs::fuse
