// The requests that look names up, make them, move them and take them away: lookup, forget,
// mknod, mkdir, symlink, link, create, rename, unlink, rmdir.
#pragma once

#include "fusefs/fuse/libfuse.hpp"

namespace partialfs::fuse {

/// Enters the handlers of this file into `ops`.
void add_name_requests(fuse_lowlevel_ops& ops);

} // namespace partialfs::fuse
