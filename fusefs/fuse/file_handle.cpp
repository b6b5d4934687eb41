#include "fusefs/fuse/file_handle.hpp"

#include "fusefs/base/exceptions.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/journal/journal.hpp"

namespace partialfs::fuse {

void join(Mount& mount, const InodePtr& inode) {
    if (!inode->data()->joined()) {
        mount.journal.join(shared_data(inode));
    }
}

Handle::~Handle() {
    if (!counted || !data().released(flags)) {
        return;
    }
    mount.page_cache.close_way(inode->id());
    // The next commit can then release the file; if joining fails for want of memory, a later one.
    static_cast<void>(base::without_exceptions([&]() -> base::Result<void> {
        join(mount, inode);
        return {};
    }));
}

} // namespace partialfs::fuse
