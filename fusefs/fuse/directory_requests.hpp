// The requests that list directories: opendir, readdir, readdirplus, releasedir, fsyncdir.
#pragma once

#include "fusefs/fuse/libfuse.hpp"

namespace partialfs::fuse {

/// Enters the handlers of this file into `ops`.
void add_directory_requests(fuse_lowlevel_ops& ops);

} // namespace partialfs::fuse
