// Tells umount(8) that the mount has an unmount helper (umount.fuse.partialfs), which waits for the
// daemon's last commit.
#pragma once

#include "fusefs/startup/mount_table.hpp"

#include <string>

namespace partialfs::startup {

/// A line of /run/mount/utab, where libmount keeps options that the kernel does not know:
/// "uhelper=fuse.partialfs". Without it umount(8) of util-linux 2.35 and later takes the type of a
/// mount from statfs(2), which is "fuse" for every FUSE mount, and does not look for this helper.
/// Only root may write the line; without it umount(8) does not wait, and nothing else changes. Used
/// by one thread.
class UmountHint {
  public:
    UmountHint() = default;
    UmountHint(const UmountHint&) = delete;
    UmountHint& operator=(const UmountHint&) = delete;
    /// Removes the line.
    ~UmountHint();

    /// Writes the line. False: it could not be written.
    bool give(const MountTableEntry& mount);

  private:
    std::string mountpoint_; ///< empty: there is no line
};

} // namespace partialfs::startup
