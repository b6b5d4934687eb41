// A caller's capabilities, where the daemon must check them itself.
//
// The kernel checks nearly all permissions before it sends a request. Left to the daemon are checks
// that a local filesystem makes itself, with the caller's credentials: the names of trusted
// attributes, and the setuid and setgid bits of a file that is changed. A request carries the
// caller's uid and gid, but no capabilities. /proc has these, for as long as the caller waits for
// the answer.
#pragma once

#include <sys/types.h>

#include <filesystem>

namespace partialfs::fuse {

/// As the kernel's capable(): whether thread `caller` has the capability in the daemon's own user
/// namespace. False if /proc does not show the thread (0: it is in another PID namespace). `proc`
/// is where procfs is mounted.
bool is_capable(pid_t caller, unsigned capability, const std::filesystem::path& proc = "/proc");

/// As capable_wrt_inode_uidgid(): the same, or the thread has the capability in a user namespace
/// that maps both the owner and the group of the file.
bool is_capable_over(pid_t caller, unsigned capability, uid_t owner, gid_t group,
                     const std::filesystem::path& proc = "/proc");

} // namespace partialfs::fuse
