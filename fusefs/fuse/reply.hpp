// The types that handlers of requests return, and the functions that send answers.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/fuse/inode_table.hpp"
#include "fusefs/fuse/libfuse.hpp"
#include "fusefs/fuse/mount.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <variant>

namespace partialfs::fuse {

inline Mount& mount_of(fuse_req_t req) {
    return *static_cast<Mount*>(fuse_req_userdata(req));
}

/// Whether the request comes from the daemon's own look for mapped stores.
bool is_own_look(fuse_req_t req);

/// Success without data.
struct Done {};
/// Another thread answers the request, by answer(), or has already done so.
struct Later {};
/// The name does not exist.
struct NoEntry {};
struct Attributes {
    struct stat status;
    double timeout = 0.0;    ///< for how long the kernel may keep them, in seconds
    bool wants_look = false; ///< see file::Attributes
};
/// A name's inode. If the kernel does not accept it, the lookup that remember() counted is undone.
struct Entry {
    fuse_entry_param parameters{};
    InodePtr inode{}; ///< null: nothing is counted (control nodes)
};
/// An open file or directory. If the kernel does not accept it, its handle is closed.
struct Opened {
    fuse_file_info* info;
};
/// A file that has been created, and is open.
struct Created {
    Entry entry;
    fuse_file_info* info;
};
struct Bytes {
    std::string bytes;
};
/// The length of a value, for a caller who wants to allocate room for it.
struct Length {
    std::size_t bytes;
};
/// How many bytes a write has taken.
struct Written {
    std::size_t bytes;
};
struct LinkTarget {
    std::string path;
};
struct Space {
    struct statvfs status;
};

/// The answer to a request, or an errno.
using Answer = base::Result<std::variant<Done, Later, Attributes, Entry, NoEntry, Opened, Created,
                                         Bytes, Length, Written, LinkTarget, Space>>;

/// Sends the answer; `req` is gone afterwards. Any thread, once for each request.
void answer(fuse_req_t req, const Answer& answer);
/// The same, without data on success.
void answer(fuse_req_t req, const base::Result<void>& result);
/// The same: 0, or the errno.
void answer(fuse_req_t req, int error);

/// The Result that `attempt` returns. Calls it again each time it fails for want of a descriptor,
/// if InodeTable::make_room() frees one.
template <typename Attempt>
auto with_room(Mount& mount, Attempt attempt) -> decltype(attempt()) {
    auto result = attempt();
    while (!result && (result.error().value == EMFILE || result.error().value == ENFILE) &&
           mount.inodes.make_room()) {
        result = attempt();
    }
    return result;
}

/// stat(2) of the inode for an application: that of the backing inode, with size, times and blocks
/// that its data holds back, and with its number in this mount. The kernel may not keep them while
/// they can change without a request.
base::Result<Attributes> attributes_of(Mount& mount, const Inode& inode);

/// The entry of `inode`, for which remember() has just been called; after an error that lookup is
/// undone.
base::Result<Entry> entry_of(Mount& mount, InodePtr inode);

} // namespace partialfs::fuse
