// Carries a power cut out.
//
// The boot has ended when this begins (power/power.hpp). Then, in this order:
// - all threads that still work on SOURCE leave the boot;
// - every regular file becomes dead, and its name leads to a new inode from now on;
// - the journal releases the files;
// - the cache of the disk loses its unsynced changes, as far as the command says;
// - each file's memory is dropped, and the bytes of it that SOURCE lacks go into the ledger;
// - the kernel drops the pages of the dead files. It first writes the dirty ones back to the
//   daemon, which shows the mapped stores that are lost, and gets EIO. A page that it cannot drop,
//   because a program stores into it meanwhile, stays a page of the dead file, and can be written
//   back only to that.
#pragma once

#include "fusefs/fuse/control_directory.hpp"
#include "fusefs/fuse/inode.hpp"
#include "fusefs/fuse/mount.hpp"
#include "fusefs/model/types.hpp"
#include "fusefs/power/power.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace partialfs::fuse {

/// Has a thread of its own, which may wait for the kernel. Thread-safe.
class PowerCut {
  public:
    /// `mount` was started with --power; it and all that it refers to must outlive this.
    explicit PowerCut(Mount& mount);
    void start() { thread_.start(); }
    /// Ends the thread. A later cut only ends the boot, and is not carried out.
    void stop();

  private:
    void carry_out(const power::Command& command);
    /// Drops a file's memory, and enters its losses, also those of its part of `from_disk`, which
    /// it removes there. Counts sizes in `report`.
    void take_file(const InodePtr& inode, std::vector<power::Taken>& from_disk,
                   power::CutReport& report);
    /// Enters the losses of a file that has no inode any more.
    void take_unknown(const power::Taken& taken, power::CutReport& report);

    Mount& mount_;
    power::Power& power_;
    ControlDirectory thread_;
};

/// The kernel's writeback of a dead file's pages: enters the losses if the cut is still being
/// carried out.
void lose_pages(Mount& mount, const Inode& inode, model::ByteOffset offset,
                std::span<const std::byte> bytes);

/// The path of an inode relative to the mount; empty if its name is gone.
std::string path_of(const Mount& mount, const Inode& inode);

} // namespace partialfs::fuse
