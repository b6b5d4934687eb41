// Carries a power cut out.
//
// The boot has ended when this begins (power/power.hpp). Then, in this order: all who are still at
// work on SOURCE leave; every regular file becomes dead, and its name leads to a new inode from now
// on; the journal lets go; the cache of the disk loses what it loses; each file's memory goes, and
// what SOURCE has not got of it into the ledger; the kernel drops the pages of the dead files. For
// that it writes the dirty ones back to us, which tells what mapped stores are lost, and is told
// EIO. A page that it cannot drop, as somebody stores into it just then, stays a page of a dead
// file: it can be written to nothing but that.
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
    /// `mount` has a power, and must outlive this, as all that it refers to.
    explicit PowerCut(Mount& mount);
    void start() { thread_.start(); }
    /// A cut that comes later is not carried out: its boot has ended, and that is all.
    void stop();

  private:
    void carry_out(const power::Command& command);
    /// What a file has lost, entered, and counted in `report`.
    void take_file(const InodePtr& inode, std::vector<power::Taken>& from_disk,
                   power::CutReport& report);
    /// A file that has no inode any more.
    void take_unknown(const power::Taken& taken, power::CutReport& report);

    Mount& mount_;
    power::Power& power_;
    ControlDirectory thread_;
};

/// The kernel's writeback of a dead file's pages: what is lost of them is entered, if the cut is
/// just being carried out.
void lose_pages(Mount& mount, const Inode& inode, model::ByteOffset offset,
                std::span<const std::byte> bytes);

/// The path of an inode relative to the mount; empty if its name is gone.
std::string path_of(const Mount& mount, const Inode& inode);

} // namespace partialfs::fuse
