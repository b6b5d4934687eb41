// The running mount: the objects that request handlers use.
#pragma once

#include "fusefs/fuse/open_handles.hpp"

#include <atomic>
#include <cstdint>
#include <string>

namespace partialfs::faults {
class FaultBook;
}
namespace partialfs::file {
struct Context;
class MemoryPool;
} // namespace partialfs::file
namespace partialfs::journal {
class Journal;
}

namespace partialfs::fuse {

class ControlDirectory;
class FusePageCache;
class InodeTable;

/// Where the mount is, and its settings. Never changes.
struct MountSettings {
    std::string source;     ///< absolute path of SOURCE
    std::string mountpoint; ///< absolute path of MOUNTPOINT
    std::string kernel_release;
    std::string trace_file;        ///< absolute path; empty: the trace is kept in memory only
    std::uint64_t dirty_limit = 0; ///< bytes
    /// How long the kernel may keep names and attributes, in seconds: only the daemon changes them.
    double entry_timeout = 1.0;
    double attr_timeout = 1.0;
};

/// The features agreed with the kernel at INIT, before any other request. Never changes after that.
struct Agreement {
    std::string fuse_protocol{};
    unsigned max_write = 0; ///< bytes
    bool posix_acl = false;
    bool explicit_invalidation = false;
    bool clears_set_id = false; ///< the daemon removes set-id bits: set_id_bits.hpp
};

/// The userdata of the FUSE session: handlers get it with mount_of(req). The objects referred to
/// are thread-safe by themselves and outlive the session.
struct Mount {
    MountSettings settings;
    InodeTable& inodes;
    file::Context& context;
    journal::Journal& journal;
    FusePageCache& page_cache;
    ControlDirectory& control;
    faults::FaultBook& faults;
    file::MemoryPool& memory;       ///< of requests
    file::MemoryPool& small_memory; ///< for memory of other sizes: frees it at once
    OpenHandles handles{};
    Agreement agreed{};
    /// The last commits are under way: requests that would make more dirty data get ESHUTDOWN.
    std::atomic<bool> ending{false};
};

} // namespace partialfs::fuse
