#include "fusefs/fuse/name_requests.hpp"

#include "fusefs/backing/object.hpp"
#include "fusefs/base/exceptions.hpp"
#include "fusefs/fuse/caller_identity.hpp"
#include "fusefs/fuse/data_requests.hpp"
#include "fusefs/fuse/reply.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <span>
#include <string>

namespace partialfs::fuse {
namespace {

using base::Errno;
using base::Fd;
using base::Result;

Result<void> done(int answer) {
    if (answer != 0) {
        return base::last_error();
    }
    return {};
}

CallerIdentity identity_of(fuse_req_t req) {
    const fuse_ctx* caller = fuse_req_ctx(req);
    return {caller->uid, caller->gid, caller->umask};
}

/// Looks `name` up in the backing directory; the kernel is being told of the inode.
Result<std::shared_ptr<Inode>> find_name(Mount& mount, const Inode& parent, const char* name) {
    auto object = backing::open_object(parent.fd(), name);
    if (!object) {
        return std::unexpected(object.error());
    }
    return mount.inodes.remember(std::move(*object), parent.id(), name);
}

void reply_name(fuse_req_t req, const Inode& parent, const char* name) {
    const auto inode = find_name(mount_of(req), parent, name);
    if (!inode) {
        reply(req, inode.error());
        return;
    }
    Mount& mount = mount_of(req);
    reply_entry(req, *inode);
    mount.inodes.wait_if_crowded();
}

void lookup(fuse_req_t req, fuse_ino_t parent_number, const char* name) {
    const auto parent = inode_of(req, parent_number);
    if (!parent) {
        reply(req, Errno{ESTALE});
        return;
    }
    reply_name(req, *parent, name);
}

void forget(fuse_req_t req, fuse_ino_t number, std::uint64_t count) {
    mount_of(req).inodes.forget(model::InodeId{number}, count);
    fuse_reply_none(req);
}

void forget_multi(fuse_req_t req, std::size_t count, fuse_forget_data* forgets) {
    for (const fuse_forget_data& one : std::span(forgets, count)) {
        mount_of(req).inodes.forget(model::InodeId{one.ino}, one.nlookup);
    }
    fuse_reply_none(req);
}

/// Makes a new object by `make(parent's descriptor)` as the caller, and answers with it.
template <typename Make>
void make_object(fuse_req_t req, fuse_ino_t parent_number, const char* name, Make make) {
    const auto parent = inode_of(req, parent_number);
    if (!parent) {
        reply(req, Errno{ESTALE});
        return;
    }
    const auto made = [&] {
        const CallerIdentity identity = identity_of(req);
        return done(make(parent->fd().get(), identity));
    }();
    if (!made) {
        reply(req, made.error());
        return;
    }
    reply_name(req, *parent, name);
}

void mknod(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, dev_t device) {
    make_object(req, parent, name, [&](int directory, const CallerIdentity& identity) {
        return ::mknodat(directory, name, identity.masked(mode), device);
    });
}

void mkdir(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) {
    make_object(req, parent, name, [&](int directory, const CallerIdentity& identity) {
        return ::mkdirat(directory, name, identity.masked(mode));
    });
}

void symlink(fuse_req_t req, const char* target, fuse_ino_t parent, const char* name) {
    make_object(req, parent, name, [&](int directory, const CallerIdentity&) {
        return ::symlinkat(target, directory, name);
    });
}

void link(fuse_req_t req, fuse_ino_t number, fuse_ino_t parent_number, const char* name) {
    const auto inode = inode_of(req, number);
    const auto parent = inode_of(req, parent_number);
    if (!inode || !parent) {
        reply(req, Errno{ESTALE});
        return;
    }
    const auto linked = backing::add_name(inode->fd(), parent->fd(), name);
    if (!linked) {
        reply(req, linked.error());
        return;
    }
    if (inode->data() != nullptr) {
        inode->data()->attributes_changed();
    }
    reply_name(req, *parent, name);
}

struct Created {
    std::shared_ptr<Inode> inode;
    Fd fd; ///< for reading and writing
};

/// open(2) with O_CREAT. The kernel is being told of the inode.
Result<Created> create_file(fuse_req_t req, const Inode& parent, const char* name, mode_t mode,
                            int flags) {
    auto made = [&] {
        const CallerIdentity identity = identity_of(req);
        // O_PATH would not create; O_RDWR, so that an existing directory answers EISDIR.
        return Fd::open(parent.fd().get(), name,
                        O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | (flags & O_EXCL),
                        identity.masked(mode));
    }();
    if (!made) {
        return std::unexpected(made.error());
    }
    auto path_fd = base::reopen(*made, O_PATH);
    if (!path_fd) {
        return std::unexpected(path_fd.error());
    }
    auto object = backing::object_of(std::move(*path_fd));
    if (!object) {
        return std::unexpected(object.error());
    }
    return Created{mount_of(req).inodes.remember(std::move(*object), parent.id(), name),
                   std::move(*made)};
}

void create(fuse_req_t req, fuse_ino_t parent_number, const char* name, mode_t mode,
            fuse_file_info* fi) {
    Mount& mount = mount_of(req);
    const auto parent = inode_of(req, parent_number);
    if (!parent) {
        reply(req, Errno{ESTALE});
        return;
    }
    auto created = create_file(req, *parent, name, mode, fi->flags);
    if (!created) {
        reply(req, created.error());
        return;
    }
    const std::shared_ptr<Inode> inode = created->inode;
    if (const auto opened =
            open_file(mount, inode, fuse_req_ctx(req)->pid, *fi, std::move(created->fd));
        !opened) {
        mount.inodes.forget(inode->id(), 1);
        reply(req, opened.error());
        return;
    }
    // From here on, whatever fails: nobody would release the handle or forget the inode.
    const auto entry = entry_of(mount, *inode);
    const int told =
        entry ? fuse_reply_create(req, &*entry, fi) : fuse_reply_err(req, entry.error().value);
    if (!entry || told != 0) {
        close_file(mount, *fi);
        mount.inodes.forget(inode->id(), 1);
    }
    mount.inodes.wait_if_crowded();
}

/// The living inode that `name` refers to, for telling it of what is done to the name: null if the
/// name does not exist, or nobody knows its object.
std::shared_ptr<Inode> living(Mount& mount, const Inode& parent, const char* name) {
    const auto object = backing::open_object(parent.fd(), name);
    return object ? mount.inodes.find(BackingKey{object->status.st_dev, object->status.st_ino})
                  : nullptr;
}

/// A name of `inode` (may be null) has been taken away.
void name_removed(const std::shared_ptr<Inode>& inode) {
    if (!inode || inode->data() == nullptr) {
        return;
    }
    const auto status = backing::status_of(inode->fd());
    if (status && status->st_nlink == 0) {
        inode->data()->last_name_removed();
    } else {
        inode->data()->attributes_changed();
    }
}

void remove_name(fuse_req_t req, fuse_ino_t parent_number, const char* name, int flags) {
    const auto parent = inode_of(req, parent_number);
    if (!parent) {
        reply(req, Errno{ESTALE});
        return;
    }
    const auto inode = living(mount_of(req), *parent, name);
    const auto removed = done(::unlinkat(parent->fd().get(), name, flags));
    if (removed) {
        name_removed(inode);
    }
    reply(req, removed);
}

void unlink(fuse_req_t req, fuse_ino_t parent, const char* name) {
    remove_name(req, parent, name, 0);
}

void rmdir(fuse_req_t req, fuse_ino_t parent, const char* name) {
    remove_name(req, parent, name, AT_REMOVEDIR);
}

/// The rename itself, once the file's blocks are on disk.
Result<void> move_name(Mount& mount, const Inode& parent, const std::string& name,
                       const Inode& new_parent, const std::string& new_name, unsigned flags,
                       const std::shared_ptr<Inode>& moved) {
    const bool replaces = (flags & (RENAME_NOREPLACE | RENAME_EXCHANGE)) == 0;
    const auto target = living(mount, new_parent, new_name.c_str());
    const auto result = done(::renameat2(parent.fd().get(), name.c_str(), new_parent.fd().get(),
                                         new_name.c_str(), flags));
    if (!result) {
        return result;
    }
    if (replaces && target != moved) {
        name_removed(target);
    }
    for (const auto& inode : {moved, replaces ? nullptr : target}) {
        if (inode && inode->data() != nullptr) {
            inode->data()->attributes_changed();
        }
    }
    return result;
}

void rename(fuse_req_t req, fuse_ino_t parent_number, const char* name,
            fuse_ino_t new_parent_number, const char* new_name, unsigned flags) {
    Mount& mount = mount_of(req);
    const auto parent = inode_of(req, parent_number);
    const auto new_parent = inode_of(req, new_parent_number);
    if (!parent || !new_parent) {
        reply(req, Errno{ESTALE});
        return;
    }
    const auto moved = living(mount, *parent, name);
    const auto go_on = [=, &mount, from = std::string(name),
                        to = std::string(new_name)](int error) {
        if (error != 0) {
            fuse_reply_err(req, error);
            return;
        }
        reply(req, base::without_exceptions([&] {
                  return move_name(mount, *parent, from, *new_parent, to, flags, moved);
              }));
    };
    if (!moved || moved->data() == nullptr || !moved->data()->needs_flush()) {
        go_on(0);
        return;
    }
    flush_own_blocks_then(mount, moved, go_on);
}

} // namespace

void add_name_requests(fuse_lowlevel_ops& ops) {
    ops.lookup = lookup;
    ops.forget = forget;
    ops.forget_multi = forget_multi;
    ops.mknod = mknod;
    ops.mkdir = mkdir;
    ops.symlink = symlink;
    ops.link = link;
    ops.create = create;
    ops.unlink = unlink;
    ops.rmdir = rmdir;
    ops.rename = rename;
}

} // namespace partialfs::fuse
