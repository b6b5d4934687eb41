// The requests that list directories: opendir, readdir, readdirplus, releasedir, fsyncdir.
#pragma once

#include "fusefs/fuse/libfuse.hpp"

#include <string_view>

namespace partialfs::fuse {

/// The control directory's name. It is never listed; a file of that name in SOURCE is out of
/// reach through the mount.
inline constexpr std::string_view kControlName = ".partialfs";

/// Enters the handlers of this file into `ops`.
void add_directory_requests(fuse_lowlevel_ops& ops);

} // namespace partialfs::fuse
