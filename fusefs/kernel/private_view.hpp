// The daemon's own way into its mount: a copy of the mount that nobody else sees.
//
// A file that the daemon opens by the mount's path keeps umount(8) from unmounting: EBUSY. One that
// it opens through a detached copy of the mount does not; but the copy keeps the filesystem alive
// when the mount itself is gone, so whoever holds it must watch for that, and let go.
#pragma once

#include "fusefs/backing/errno.hpp"
#include "fusefs/backing/fd.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace partialfs::kernel {

/// Thread-safe.
class PrivateView {
  public:
    /// A view of what is mounted at `mountpoint`, made now. Without the right to copy mounts
    /// (CAP_SYS_ADMIN) files are opened by the mount's path, and an umount at just that moment is
    /// told EBUSY.
    /// Waits for requests of the kernel's to be served.
    explicit PrivateView(std::string mountpoint);

    /// openat(2) of a path relative to the mount's root. ENODEV once the mount is gone.
    backing::Result<backing::Fd> open(const std::string& path, int flags) const;

    /// Becomes readable for poll(2) with POLLPRI when mounts come or go; -1 if there is no copy to
    /// watch over. Then call let_go_if_unmounted().
    [[nodiscard]] int mounts_changed_fd() const { return mount_table_.get(); }
    /// Lets go of the copy if the mount is no longer in the table of mounts.
    void let_go_if_unmounted();
    /// Lets go of the copy in any case. May have the kernel write dirty pages back, which waits for
    /// requests to be served.
    void let_go();

  private:
    [[nodiscard]] bool still_mounted() const;

    std::string mountpoint_;
    std::uint64_t mount_id_ = 0;
    backing::Fd mount_table_;
    mutable std::mutex mutex_;                ///< guards what follows; a leaf
    std::shared_ptr<const backing::Fd> root_; ///< null: opened by path, or let go
    bool gone_ = false;
};

} // namespace partialfs::kernel
