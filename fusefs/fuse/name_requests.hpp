// The requests that look up, create, move and remove names: lookup, forget, mknod, mkdir, symlink,
// link, create, rename, unlink, rmdir.
#pragma once

#include "fusefs/fuse/libfuse.hpp"

namespace partialfs::fuse {

/// Enters the handlers of this file into `ops`.
void add_name_requests(fuse_lowlevel_ops& ops);

} // namespace partialfs::fuse
