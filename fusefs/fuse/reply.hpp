// From a request to the objects it names, and from a result to the reply.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/fuse/inode_table.hpp"
#include "fusefs/fuse/libfuse.hpp"
#include "fusefs/fuse/mount.hpp"

#include <memory>

namespace partialfs::fuse {

inline Mount& mount_of(fuse_req_t req) {
    return *static_cast<Mount*>(fuse_req_userdata(req));
}

/// The inode that the request names; null if the mount has no such inode (any more), in which case
/// the answer is ESTALE.
inline std::shared_ptr<Inode> inode_of(fuse_req_t req, fuse_ino_t number) {
    return mount_of(req).inodes.find(model::InodeId{number});
}

inline void reply(fuse_req_t req, base::Errno error) {
    fuse_reply_err(req, error.value);
}
/// 0 or the errno.
inline void reply(fuse_req_t req, const base::Result<void>& result) {
    fuse_reply_err(req, result ? 0 : result.error().value);
}

/// stat(2) of the inode as an application must see it: the backing inode's, under what its data
/// holds back (size, times, blocks).
base::Result<struct stat> attributes_of(const Inode& inode);

/// How long the kernel may keep the attributes of `inode`: not at all while data that waits for a
/// commit changes them without the kernel's doing.
double attribute_timeout(const Mount& mount, const Inode& inode);

/// Tells the kernel of `inode` under a name; gives the lookup back if it cannot be told.
void reply_entry(fuse_req_t req, const std::shared_ptr<Inode>& inode);
/// What reply_entry() tells, for the replies that hold more than that.
base::Result<fuse_entry_param> entry_of(const Mount& mount, const Inode& inode);

} // namespace partialfs::fuse
