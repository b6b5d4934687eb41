// The daemon's own access to its mount: a copy of the mount that nobody else sees.
//
// While the daemon has a file open by the mount's path, umount(8) fails with EBUSY. It does not for
// a file opened through a detached copy of the mount; but the copy keeps the filesystem alive when
// the mount itself is gone, so its owner must watch for that, and release it.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"

#include <cstdint>
#include <string>

namespace partialfs::fuse {

/// Constructed on one thread. After that enter(), find_directory(), is_private(), open(),
/// open_root() and let_go() are only for the visitor's thread, in whose file table the copy is (see
/// visitor.hpp), and the others for other threads.
class PrivateView {
  public:
    /// For the filesystem that is mounted at `mountpoint` now. Files will be opened in `directory`,
    /// relative to the mount's root.
    PrivateView(std::string mountpoint, std::string directory);

    /// Copies the mount. Without the right to copy mounts (CAP_SYS_ADMIN) files are opened by the
    /// mount's path, and an umount during that gets EBUSY. Causes no request.
    void enter();
    /// Opens the directory, so that no later open() waits for a lock of the directories above it.
    /// Without a copy of the mount that lasts only until the kernel forgets the names again, as an
    /// open directory would make every umount fail with EBUSY. Waits for requests to be served.
    void find_directory();
    /// Whether files are opened through a copy of the mount.
    [[nodiscard]] bool is_private() const { return static_cast<bool>(root_); }
    /// openat(2) of a file in the directory. ENODEV after let_go(). Waits for requests to be
    /// served, and if the directory is not open, for locks of the directories above it.
    [[nodiscard]] base::Result<base::Fd> open(const std::string& name, int flags) const;
    /// Opens the mount's root directory, for syncfs(2). Errors as open().
    [[nodiscard]] base::Result<base::Fd> open_root() const;
    /// Releases the copy. The kernel may write dirty pages back, which waits for requests to be
    /// served.
    void let_go();

    /// For poll(2): POLLPRI when mounts come or go; -1 if that cannot be watched.
    [[nodiscard]] int mounts_changed_fd() const { return mount_table_.get(); }
    /// Whether the mount is still in the table of mounts.
    [[nodiscard]] bool still_mounted() const;

  private:
    std::string mountpoint_;
    std::string directory_path_;
    std::uint64_t mount_id_ = 0;
    base::Fd mount_table_;
    base::Fd root_; ///< the copy; none: files are opened by path
    /// Held open to avoid a deadlock: the kernel may drop names of the path from its cache, and a
    /// new lookup waits for the lock of the name's directory. A rename may hold that of the root
    /// while it waits for the commit for which the visitor opens the file.
    base::Fd directory_;
    bool gone_ = false;
};

} // namespace partialfs::fuse
