// The setuid and setgid bits of a file that somebody changes.
//
// Linux takes them away when a file is written, truncated or given away, and with them the file's
// capabilities (file_remove_privs()). For a FUSE mount it does so by requests of its own, and asks
// for the capabilities before each write(2). With FUSE_HANDLE_KILLPRIV_V2 (Linux 5.12; how it is
// asked for: init_exchange.hpp) it remembers that a file has neither, and leaves the bits to the
// daemon; capabilities it still removes by itself. When they go:
//   - WRITE with FUSE_WRITE_KILL_SUIDGID: its caller lacks CAP_FSETID.
//   - SETATTR with FATTR_KILL_SUIDGID: a change of owner, or of size by such a caller.
//   - FALLOCATE by such a caller: the request does not say so, /proc does.
//   - SETATTR of nothing at all: what chown(2) of neither owner nor group comes to, and what comes
//     before a write or an fallocate. Anybody may send it, also about files that are not theirs.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/fuse/inode.hpp"

#include <sys/types.h>

#include <cstddef>
#include <span>

namespace partialfs::fuse {

/// Whether a request, as it came from the kernel, is a WRITE with FUSE_WRITE_KILL_SUIDGID: libfuse
/// does not pass that on.
bool write_clears_set_id(std::span<const std::byte> request);

/// Which of the bits of `mode` (an st_mode) would go: setuid, and setgid if the group may execute
/// the file, as in setattr_should_drop_suidgid(); none of a directory.
mode_t set_id_of(mode_t mode);

/// Takes these away. Errors are those of fstat(2) and chmod(2).
base::Result<void> clear_set_id(const Inode& inode);

/// The same, unless thread `caller` has CAP_FSETID.
base::Result<void> clear_set_id_by(pid_t caller, const Inode& inode);

} // namespace partialfs::fuse
