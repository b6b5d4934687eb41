#include "fusefs/fuse/operations.hpp"

#include "fusefs/fuse/attribute_requests.hpp"
#include "fusefs/fuse/data_requests.hpp"
#include "fusefs/fuse/directory_requests.hpp"
#include "fusefs/fuse/mount.hpp"
#include "fusefs/fuse/name_requests.hpp"
#include "fusefs/fuse/session.hpp"
#include "fusefs/fuse/write_requests.hpp"
#include "fusefs/model/types.hpp"

#include <linux/fuse.h>

#include <algorithm>

namespace partialfs::fuse {
namespace {

void init(void* userdata, fuse_conn_info* connection) {
    Mount& mount = *static_cast<Mount*>(userdata);
    const auto want = [&](unsigned capability) {
        if ((connection->capable & capability) != 0) {
            connection->want |= capability;
        }
        return (connection->capable & capability) != 0;
    };
    // With the kernel's writeback cache a write(2) could not be distinguished from a mapped store.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_WRITEBACK_CACHE);
    // Only the daemon changes the data; the kernel drops pages when notified, not when mtime
    // changes.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_AUTO_INVAL_DATA);
    mount.agreed.explicit_invalidation = want(FUSE_CAP_EXPLICIT_INVAL_DATA);
    // O_TRUNC arrives as a setattr of its own.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_ATOMIC_O_TRUNC);
    // Requests are received into memory, which the buffers then take over.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ);
    want(FUSE_CAP_SPLICE_WRITE);
    want(FUSE_CAP_SPLICE_MOVE);
    want(FUSE_CAP_PARALLEL_DIROPS);
    want(FUSE_CAP_READDIRPLUS);
    want(FUSE_CAP_READDIRPLUS_AUTO);
    want(FUSE_CAP_ASYNC_READ);
    want(FUSE_CAP_ASYNC_DIO);
    want(FUSE_CAP_CACHE_SYMLINKS);
    want(FUSE_CAP_DONT_MASK);
    mount.agreed.posix_acl = want(FUSE_CAP_POSIX_ACL);
    // Without this the kernel asks for a file's capabilities before each write(2).
#ifdef FUSE_CAP_HANDLE_KILLPRIV_V2
    mount.agreed.clears_set_id = want(FUSE_CAP_HANDLE_KILLPRIV_V2);
#else // libfuse before 3.17
    mount.agreed.clears_set_id = Session::want_of_kernel(FUSE_HANDLE_KILLPRIV_V2);
#endif
    // The largest write is a quarter of the dirty limit, so that writes fit into it.
    const std::uint64_t most = mount.settings.dirty_limit / 4 / model::kPageSize * model::kPageSize;
    connection->max_write = static_cast<unsigned>(std::clamp<std::uint64_t>(
        most, model::kPageSize, std::max<std::uint64_t>(connection->max_write, model::kPageSize)));
    connection->max_readahead = std::max(connection->max_readahead, 1U << 20U);
    connection->max_background = 64;
    connection->congestion_threshold = 48;
    connection->time_gran = 1;
    mount.agreed.max_write = connection->max_write;
    mount.agreed.fuse_protocol =
        std::to_string(connection->proto_major) + '.' + std::to_string(connection->proto_minor);
}

} // namespace

fuse_lowlevel_ops all_operations() {
    fuse_lowlevel_ops ops{};
    ops.init = init;
    add_name_requests(ops);
    add_attribute_requests(ops);
    add_directory_requests(ops);
    add_data_requests(ops);
    add_write_requests(ops);
    return ops;
}

} // namespace partialfs::fuse
