// Removes the setuid and setgid bits of a file that is changed.
//
// Linux removes them when a file is written, truncated or given another owner, together with the
// file's capabilities (file_remove_privs()). For a FUSE mount it does so by separate requests, and
// asks for the capabilities before each write(2). With FUSE_HANDLE_KILLPRIV_V2 (Linux 5.12;
// negotiated in init_exchange.hpp) it remembers that a file has neither, and leaves the bits to the
// daemon; it still removes capabilities itself. The bits are removed by:
//   - WRITE with FUSE_WRITE_KILL_SUIDGID: its caller lacks CAP_FSETID.
//   - SETATTR with FATTR_KILL_SUIDGID: a change of owner, or of size by such a caller.
//   - FALLOCATE by such a caller: the request does not show it, but /proc does.
//   - SETATTR that sets nothing, if the caller may change the mode: from chown(2) of neither owner
//     nor group, or before a write or an fallocate. Any caller may cause it, for any file. If the
//     file has capabilities, it also comes before a write by a caller with CAP_FSETID, who would
//     keep the bits elsewhere: nothing distinguishes it from chown(2)'s, so they are removed.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/fuse/inode.hpp"

#include <sys/types.h>

#include <cstddef>
#include <span>

namespace partialfs::fuse {

/// Whether a request, as received from the kernel, is a WRITE with FUSE_WRITE_KILL_SUIDGID; libfuse
/// does not pass this flag on.
bool write_clears_set_id(std::span<const std::byte> request);

/// The bits of `mode` (an st_mode) that would be removed: setuid, and setgid if the group may
/// execute the file, as in setattr_should_drop_suidgid(); none for a directory.
mode_t set_id_of(mode_t mode);

/// Removes these bits. Errors are those of fstat(2) and chmod(2).
base::Result<void> clear_set_id(const Inode& inode);

/// The same, unless thread `caller` has CAP_FSETID.
base::Result<void> clear_set_id_by(pid_t caller, const Inode& inode);

} // namespace partialfs::fuse
