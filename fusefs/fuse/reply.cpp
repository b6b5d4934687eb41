#include "fusefs/fuse/reply.hpp"

namespace partialfs::fuse {

base::Result<struct stat> attributes_of(const Inode& inode) {
    auto status = backing::status_of(inode.fd());
    if (status && inode.data() != nullptr) {
        inode.data()->adjust(*status);
    }
    return status;
}

double attribute_timeout(const Mount& mount, const Inode& inode) {
    const bool in_motion = inode.data() != nullptr && inode.data()->needs_flush();
    return in_motion ? 0.0 : mount.attr_timeout;
}

base::Result<fuse_entry_param> entry_of(const Mount& mount, const Inode& inode) {
    fuse_entry_param entry{};
    entry.ino = inode.id().value;
    entry.entry_timeout = mount.entry_timeout;
    // Asked for before the attributes: what comes into motion after it is seen by the next request.
    entry.attr_timeout = attribute_timeout(mount, inode);
    const auto status = attributes_of(inode);
    if (!status) {
        return std::unexpected(status.error());
    }
    entry.attr = *status;
    return entry;
}

void reply_entry(fuse_req_t req, const std::shared_ptr<Inode>& inode) {
    Mount& mount = mount_of(req);
    const auto entry = entry_of(mount, *inode);
    const int told =
        entry ? fuse_reply_entry(req, &*entry) : fuse_reply_err(req, entry.error().value);
    if (!entry || told != 0) {
        mount.inodes.forget(inode->id(), 1);
    }
}

} // namespace partialfs::fuse
