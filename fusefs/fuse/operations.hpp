// The table of all handlers of the filesystem, and the negotiation with the kernel at INIT.
#pragma once

#include "fusefs/fuse/libfuse.hpp"

namespace partialfs::fuse {

/// The handlers; their session's userdata must be a Mount.
fuse_lowlevel_ops all_operations();

} // namespace partialfs::fuse
