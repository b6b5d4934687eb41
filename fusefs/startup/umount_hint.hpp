// Tells umount(8) that the mount has a helper of its own (umount.fuse.partialfs), which waits for
// the daemon's last commit.
#pragma once

#include "fusefs/startup/mount_table.hpp"

#include <string>

namespace partialfs::startup {

/// A line of /run/mount/utab, where libmount keeps what the kernel does not know of a mount:
/// "uhelper=fuse.partialfs". Without it umount(8) of util-linux 2.35 and later learns the type of a
/// mount from statfs(2), which says "fuse" of every FUSE mount, and never looks for our helper.
/// It only makes umount(8) wait: where the line cannot be written (only root may) nothing else
/// changes. One thread.
class UmountHint {
  public:
    UmountHint() = default;
    UmountHint(const UmountHint&) = delete;
    UmountHint& operator=(const UmountHint&) = delete;
    /// Takes the line away.
    ~UmountHint();

    /// False: there is no line.
    bool give(const MountTableEntry& mount);

  private:
    std::string mountpoint_; ///< empty: there is no line
};

} // namespace partialfs::startup
