// The requests that read and change attributes: getattr, setattr, readlink, statfs and those for
// extended attributes, which include POSIX ACLs and file capabilities.
#pragma once

#include "fusefs/fuse/libfuse.hpp"

namespace partialfs::fuse {

/// Enters the handlers of this file into `ops`.
///
/// There is no handler for access: with default_permissions the kernel answers it from mode and
/// ACL. There are none for getlk, setlk and flock: the kernel then keeps the locks itself, which is
/// enough for a filesystem that only this machine mounts.
void add_attribute_requests(fuse_lowlevel_ops& ops);

} // namespace partialfs::fuse
