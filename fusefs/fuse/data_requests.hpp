// The requests that work on the data of regular files, except WRITE: open, read, flush, release,
// fsync, fallocate, lseek, and the replies to retrieve.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/fuse/inode.hpp"
#include "fusefs/fuse/libfuse.hpp"

#include <functional>
#include <memory>

namespace partialfs::fuse {

struct Mount;

/// Enters the handlers of this file into `ops`.
void add_data_requests(fuse_lowlevel_ops& ops);

/// The file-data part of open and create: makes the handle and fills in `fi` (fh, keep_cache,
/// noflush). `fi.flags` are the application's flags. `caller` is the context's pid. `created`: the
/// descriptor of a file that has just been created.
base::Result<void> open_file(Mount& mount, const std::shared_ptr<Inode>& inode, pid_t caller,
                             fuse_file_info& fi, base::Fd created = {});

/// Flushes the file's own blocks that are not on disk, and then calls `then` with 0 or the errno:
/// at once on this thread, or later on that of ControlDirectory. For rename, so that the new name
/// never leads to data that is not on disk.
void flush_own_blocks_then(Mount& mount, const std::shared_ptr<Inode>& inode,
                           std::function<void(int)> then);

} // namespace partialfs::fuse
