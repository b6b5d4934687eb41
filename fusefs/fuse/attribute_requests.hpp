// The requests that ask for attributes and change them: getattr, setattr, readlink, statfs and the
// extended attributes, which POSIX ACLs and file capabilities are.
#pragma once

#include "fusefs/fuse/libfuse.hpp"

namespace partialfs::fuse {

/// Enters the handlers of this file into `ops`.
///
/// access is not among them: with default_permissions the kernel answers it from mode and ACL.
/// Neither are getlk, setlk and flock: without them the kernel keeps the locks itself, which is
/// exact for a filesystem that only this machine mounts.
void add_attribute_requests(fuse_lowlevel_ops& ops);

} // namespace partialfs::fuse
