// The requests that list directories: opendir, readdir, readdirplus, releasedir, fsyncdir.
#pragma once

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>

#include <string_view>

namespace partialfs::fuse {

/// The control directory's name. It is never listed; a file of that name in SOURCE is out of
/// reach through the mount.
inline constexpr std::string_view kControlName = ".partialfs";

/// Enters the handlers of this file into `ops`.
void add_directory_requests(fuse_lowlevel_ops& ops);

} // namespace partialfs::fuse
