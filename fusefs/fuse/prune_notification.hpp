// Asks the kernel to forget inodes that nobody uses.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/fuse/libfuse.hpp"
#include "fusefs/model/types.hpp"

#include <span>

namespace partialfs::fuse {

/// FUSE_NOTIFY_PRUNE (Linux 6.18, not in libfuse 3.14): the kernel drops the names of these inodes
/// that are not in use, as it does when memory is short, and so forgets the inodes: FORGET follows.
/// What is in use is left alone: open files, working directories, mount points, directories with
/// something in them that is known. Numbers that it does not know are passed over.
///
/// EINVAL: the kernel is older. Another errno: the connection is gone. Waits for no request.
base::Result<void> prune_inodes(fuse_session* session, std::span<const model::InodeId> inodes);

} // namespace partialfs::fuse
