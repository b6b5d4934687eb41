// The FUSE node numbers of the control directory's own objects.
#pragma once

#include "fusefs/fuse/libfuse.hpp"

namespace partialfs::fuse {

// InodeIds are counted from 1 and never become that large.
inline constexpr fuse_ino_t kFirstControlNode = fuse_ino_t{1} << 63U;
inline constexpr fuse_ino_t kControlDirectory = kFirstControlNode;
/// `.partialfs/inode`.
inline constexpr fuse_ino_t kInodeDirectory = kFirstControlNode + 1;
inline constexpr fuse_ino_t kStatusFile = kFirstControlNode + 2;
inline constexpr fuse_ino_t kLedgerFile = kFirstControlNode + 3;
inline constexpr fuse_ino_t kTraceFile = kFirstControlNode + 4;
inline constexpr fuse_ino_t kContractFile = kFirstControlNode + 5;
inline constexpr fuse_ino_t kPolicyFile = kFirstControlNode + 6;
inline constexpr fuse_ino_t kCommitFile = kFirstControlNode + 7;
inline constexpr fuse_ino_t kEvictFile = kFirstControlNode + 8;
inline constexpr fuse_ino_t kFaultsFile = kFirstControlNode + 9;
inline constexpr fuse_ino_t kAfterWriteErrorFile = kFirstControlNode + 10;
// With --power:
inline constexpr fuse_ino_t kPowerFile = kFirstControlNode + 11;
inline constexpr fuse_ino_t kFiredFile = kFirstControlNode + 12;
inline constexpr fuse_ino_t kUnsyncedFile = kFirstControlNode + 13;

/// Whether a number is one of the control directory's, in use or not.
constexpr bool is_control(fuse_ino_t number) {
    return number >= kFirstControlNode;
}

} // namespace partialfs::fuse
