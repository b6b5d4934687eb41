// The daemon's own way into its mount: a copy of the mount that nobody else sees.
//
// A file that the daemon opens by the mount's path keeps umount(8) from unmounting: EBUSY. One that
// it opens through a detached copy of the mount does not; but the copy keeps the filesystem alive
// when the mount itself is gone, so whoever holds it must watch for that, and let go.
#pragma once

#include "fusefs/backing/errno.hpp"
#include "fusefs/backing/fd.hpp"

#include <cstdint>
#include <string>

namespace partialfs::kernel {

/// Made on one thread; from then on enter(), open() and let_go() are the visitor's alone, in whose
/// file table the copy lives (see visitor.hpp), and the rest is the other threads'.
class PrivateView {
  public:
    /// For what is mounted at `mountpoint`, just now.
    explicit PrivateView(std::string mountpoint);

    /// Copies the mount. Without the right to copy mounts (CAP_SYS_ADMIN) files are opened by the
    /// mount's path, and an umount at just that moment is told EBUSY.
    /// Waits for requests of the kernel's to be served.
    void enter();
    /// openat(2) of a path relative to the mount's root. ENODEV once let go.
    [[nodiscard]] backing::Result<backing::Fd> open(const std::string& path, int flags) const;
    /// Lets go of the copy. May have the kernel write dirty pages back, which waits for requests
    /// to be served.
    void let_go();

    /// Becomes readable for poll(2) with POLLPRI when mounts come or go; -1 if that cannot be told.
    [[nodiscard]] int mounts_changed_fd() const { return mount_table_.get(); }
    /// Whether the mount is still in the table of mounts.
    [[nodiscard]] bool still_mounted() const;

  private:
    std::string mountpoint_;
    std::uint64_t mount_id_ = 0;
    backing::Fd mount_table_;
    backing::Fd root_; ///< none: files are opened by path
    bool gone_ = false;
};

} // namespace partialfs::kernel
