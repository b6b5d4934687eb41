#include "fusefs/fuse/operations.hpp"

#include "fusefs/base/exceptions.hpp"
#include "fusefs/fuse/attribute_requests.hpp"
#include "fusefs/fuse/control_directory.hpp"
#include "fusefs/fuse/data_requests.hpp"
#include "fusefs/fuse/directory_requests.hpp"
#include "fusefs/fuse/mount.hpp"
#include "fusefs/fuse/name_requests.hpp"
#include "fusefs/fuse/reply.hpp"
#include "fusefs/model/types.hpp"

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
    // With the kernel's own writeback cache a write(2) could not be told from a mapped store.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_WRITEBACK_CACHE);
    // Only the daemon changes the data; pages are dropped when it says so, and never by a guess.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_AUTO_INVAL_DATA);
    mount.explicit_invalidation = want(FUSE_CAP_EXPLICIT_INVAL_DATA);
    // O_TRUNC arrives as a setattr of its own.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_ATOMIC_O_TRUNC);
    // Requests are received in memory, which the buffers take over.
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
    mount.posix_acl = want(FUSE_CAP_POSIX_ACL);
    // A write must fit into the dirty limit several times over, or it could never go through.
    const std::uint64_t most = mount.dirty_limit / 4 / model::kPageSize * model::kPageSize;
    connection->max_write = static_cast<unsigned>(std::clamp<std::uint64_t>(
        most, model::kPageSize, std::max<std::uint64_t>(connection->max_write, model::kPageSize)));
    connection->max_readahead = std::max(connection->max_readahead, 1U << 20U);
    connection->max_background = 64;
    connection->congestion_threshold = 48;
    connection->time_gran = 1;
    mount.max_write = connection->max_write;
    mount.fuse_protocol =
        std::to_string(connection->proto_major) + '.' + std::to_string(connection->proto_minor);
}

fuse_lowlevel_ops unguarded; // the handlers themselves, written once, at start-up

/// A handler that lets no exception into libfuse, but answers with the errno that stands for it.
/// Handlers reply last of all: what throws has not replied.
template <auto member>
struct Guarded;
template <typename... Arguments, void (*fuse_lowlevel_ops::*member)(fuse_req_t, Arguments...)>
struct Guarded<member> {
    static void handle(fuse_req_t req, Arguments... arguments) {
        try {
            (unguarded.*member)(req, arguments...);
        } catch (...) {
            reply(req, base::errno_of_exception());
        }
    }
};

template <auto... members>
void guard(fuse_lowlevel_ops& ops) {
    unguarded = ops;
    ((ops.*members = ops.*members != nullptr ? Guarded<members>::handle : nullptr), ...);
}

} // namespace

fuse_lowlevel_ops all_operations() {
    fuse_lowlevel_ops ops{};
    ops.init = init;
    add_name_requests(ops);
    add_attribute_requests(ops);
    add_directory_requests(ops);
    add_data_requests(ops);
    add_control_requests(ops);
    using Ops = fuse_lowlevel_ops;
    // All but init, and those that are not answered and throw nothing: forget, forget_multi and
    // retrieve_reply.
    guard<&Ops::lookup, &Ops::mknod, &Ops::mkdir, &Ops::symlink, &Ops::link, &Ops::create,
          &Ops::unlink, &Ops::rmdir, &Ops::rename, &Ops::getattr, &Ops::setattr, &Ops::readlink,
          &Ops::statfs, &Ops::getxattr, &Ops::listxattr, &Ops::setxattr, &Ops::removexattr,
          &Ops::opendir, &Ops::readdir, &Ops::readdirplus, &Ops::releasedir, &Ops::fsyncdir,
          &Ops::open, &Ops::release, &Ops::flush, &Ops::read, &Ops::write, &Ops::fsync,
          &Ops::fallocate, &Ops::lseek, &Ops::copy_file_range>(ops);
    return ops;
}

} // namespace partialfs::fuse
