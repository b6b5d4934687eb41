// Asks the kernel to forget inodes that nobody uses.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/fuse/libfuse.hpp"
#include "fusefs/model/types.hpp"

#include <span>

namespace partialfs::fuse {

/// FUSE_NOTIFY_PRUNE (Linux 6.18, not in libfuse 3.14): the kernel drops those names of these
/// inodes that are not in use, as it does when memory is short, and then forgets the inodes: FORGET
/// follows. Inodes in use stay: open files, working directories, mount points, directories with
/// known entries. Unknown numbers are ignored.
///
/// EINVAL: the kernel is older. Another errno: the connection is gone. Waits for no request.
base::Result<void> prune_inodes(fuse_session* session, std::span<const model::InodeId> inodes);

} // namespace partialfs::fuse
