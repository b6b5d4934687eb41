// WRITE: a program's write(2), which waits in memory for a commit, and the kernel's writeback of
// mapped and cached pages.
#pragma once

#include "fusefs/fuse/libfuse.hpp"

namespace partialfs::fuse {

/// Enters the handler of this file into `ops`.
void add_write_requests(fuse_lowlevel_ops& ops);

} // namespace partialfs::fuse
