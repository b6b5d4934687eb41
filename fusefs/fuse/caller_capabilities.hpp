// What a caller is privileged for, where the daemon must judge it itself.
//
// The kernel judges nearly everything before it asks the daemon. What a local filesystem judges
// inside, with the caller's credentials, is left: the names of trusted attributes, and the setgid
// bit of a file whose ACL is set. A request carries the caller's uid and gid, but no capabilities:
// these stand in /proc, where the caller stays for as long as it waits for the answer.
#pragma once

#include <sys/types.h>

#include <filesystem>

namespace partialfs::fuse {

/// As the kernel's capable(): whether thread `caller` has the capability, in the daemon's own user
/// namespace. One that /proc does not show (0: it is in another PID namespace) has none.
/// `proc` is where procfs is mounted.
bool is_capable(pid_t caller, unsigned capability, const std::filesystem::path& proc = "/proc");

/// As capable_wrt_inode_uidgid(): the same, or it has the capability in a user namespace that maps
/// both the owner and the group of the file.
bool is_capable_over(pid_t caller, unsigned capability, uid_t owner, gid_t group,
                     const std::filesystem::path& proc = "/proc");

} // namespace partialfs::fuse
