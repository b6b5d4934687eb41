// The requests that ask for attributes and change them: getattr, setattr, readlink, statfs and the
// extended attributes, which POSIX ACLs and file capabilities are.
#pragma once

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>

namespace partialfs::fuse {

/// Enters the handlers of this file into `ops`.
///
/// access is not among them: with default_permissions the kernel answers it from mode and ACL.
/// Neither are getlk, setlk and flock: without them the kernel keeps the locks itself, which is
/// exact for a filesystem that only this machine mounts.
void add_attribute_requests(fuse_lowlevel_ops& ops);

} // namespace partialfs::fuse
