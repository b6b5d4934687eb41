// What the handlers of requests return, and the one place that answers requests.
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

/// Whether the request is the daemon's own, which looks for mapped stores.
bool is_own_look(fuse_req_t req);

/// Success, and nothing to say.
struct Done {};
/// Another thread answers the request, by answer(), or has already done so.
struct Later {};
struct Attributes {
    struct stat status;
    double timeout = 0.0; ///< for how long the kernel may keep them, in seconds
};
/// A name's inode. If the kernel cannot be given it, the lookup that remember() counted is taken
/// back.
struct Entry {
    fuse_entry_param parameters{};
    InodePtr inode{}; ///< null: nothing is counted (control nodes)
};
/// An open file or directory. If the kernel cannot be given it, its handle is closed.
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
/// The length of a value that the caller wants to make room for.
struct Length {
    std::size_t bytes;
};
/// What a write has taken.
struct Written {
    std::size_t bytes;
};
struct LinkTarget {
    std::string path;
};
struct Space {
    struct statvfs status;
};

/// What a request is answered with, or the errno that it is refused with.
using Answer = base::Result<std::variant<Done, Later, Attributes, Entry, Opened, Created, Bytes,
                                         Length, Written, LinkTarget, Space>>;

/// Sends the answer; `req` is gone afterwards. Any thread, once for each request.
void answer(fuse_req_t req, const Answer& answer);
/// The same, with nothing to say on success.
void answer(fuse_req_t req, const base::Result<void>& result);
/// The same: 0, or the errno.
void answer(fuse_req_t req, int error);

/// What `attempt` returns, a Result; once more whenever it fails for want of a descriptor and
/// others can be had to let go.
template <typename Attempt>
auto with_room(Mount& mount, Attempt attempt) -> decltype(attempt()) {
    auto result = attempt();
    while (!result && (result.error().value == EMFILE || result.error().value == ENFILE) &&
           mount.inodes.make_room()) {
        result = attempt();
    }
    return result;
}

/// stat(2) of the inode as an application must see it: the backing inode's, under what its data
/// holds back (size, times, blocks), and under the number that is the file's in this mount.
base::Result<struct stat> attributes_of(Mount& mount, const Inode& inode);

/// How long the kernel may keep the attributes of `inode`: not at all while data that waits for a
/// commit changes them without the kernel's doing.
double attribute_timeout(const Mount& mount, const Inode& inode);

/// The entry of `inode`, which remember() has just been called for; if there is none, the lookup is
/// taken back.
base::Result<Entry> entry_of(Mount& mount, InodePtr inode);

} // namespace partialfs::fuse
