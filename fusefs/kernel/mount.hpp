// The running mount: what the request handlers work with.
#pragma once

#include <string>

namespace partialfs::journal {
struct Context;
class Journal;
} // namespace partialfs::journal

namespace partialfs::kernel {

class InodeTable;

/// The userdata of the FUSE session: handlers get at it with mount_of(req). The objects referred to
/// are thread-safe by themselves and outlive the session.
struct Mount {
    std::string source;     ///< absolute path of SOURCE
    std::string mountpoint; ///< absolute path of MOUNTPOINT
    InodeTable& inodes;
    journal::Context& context;
    journal::Journal& journal;
    /// How long the kernel may keep names and attributes, in seconds: only the daemon changes them.
    double entry_timeout = 1.0;
    double attr_timeout = 1.0;
};

} // namespace partialfs::kernel
