// The running mount: what the request handlers work with.
#pragma once

#include "fusefs/fuse/open_handles.hpp"

#include <atomic>
#include <cstdint>
#include <string>

namespace partialfs::journal {
struct Context;
class Journal;
class MemoryPool;
} // namespace partialfs::journal

namespace partialfs::faults {
class FaultBook;
}

namespace partialfs::fuse {

class ControlDirectory;
class FusePageCache;
class InodeTable;

/// The userdata of the FUSE session: handlers get at it with mount_of(req). The objects referred to
/// are thread-safe by themselves and outlive the session.
struct Mount {
    std::string source;     ///< absolute path of SOURCE
    std::string mountpoint; ///< absolute path of MOUNTPOINT
    InodeTable& inodes;
    file::Context& context;
    journal::Journal& journal;
    FusePageCache& page_cache;
    ControlDirectory& control;
    faults::FaultBook& faults;
    file::MemoryPool& memory;       ///< of requests
    file::MemoryPool& small_memory; ///< keeps nothing: for memory of other sizes
    std::uint64_t dirty_limit = 0;  ///< bytes
    /// How long the kernel may keep names and attributes, in seconds: only the daemon changes them.
    double entry_timeout = 1.0;
    double attr_timeout = 1.0;
    OpenHandles handles{};
    std::string kernel_release{};
    std::string trace_file{}; ///< absolute path; empty: the trace is kept in memory only
    // Agreed with the kernel at INIT, before any other request:
    std::string fuse_protocol{};
    unsigned max_write = 0;
    bool posix_acl = false;
    bool explicit_invalidation = false;
    /// The last commits are under way: what would give them more to write is refused (ESHUTDOWN).
    std::atomic<bool> ending{false};
};

} // namespace partialfs::fuse
