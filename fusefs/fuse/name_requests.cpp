#include "fusefs/fuse/name_requests.hpp"

#include "fusefs/backing/object.hpp"
#include "fusefs/base/exceptions.hpp"
#include "fusefs/base/try.hpp"
#include "fusefs/fuse/caller_identity.hpp"
#include "fusefs/fuse/data_requests.hpp"
#include "fusefs/fuse/dispatch.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/power_cut.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <span>
#include <string>

namespace partialfs::fuse {
namespace {

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

/// The entry of `object`, which has been found as `name` in `parent`.
Result<Entry> entry_for(Mount& mount, const InodePtr& parent, const char* name,
                        backing::Object object) {
    return entry_of(mount, mount.inodes.remember(std::move(object), parent->id(), name));
}

/// Looks `name` up in the backing directory, and answers with its entry.
Answer find_name(fuse_req_t req, const InodePtr& parent, const char* name) {
    auto object =
        TRY(with_room(mount_of(req), [&] { return backing::open_object(parent->fd(), name); }));
    return entry_for(mount_of(req), parent, name, std::move(object));
}

Answer lookup(fuse_req_t req, const InodePtr& parent, const char* name) {
    if (is_control_name(parent->id().value, name)) {
        return control::directory(mount_of(req));
    }
    const auto found = find_name(req, parent, name);
    return !found && found.error().value == ENOENT ? Answer{NoEntry{}} : found;
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

/// Makes a new object as the caller, by `make(parent's descriptor, identity)`, and answers with its
/// entry.
template <typename Make>
Answer make_object(fuse_req_t req, const InodePtr& parent, const char* name, Make make) {
    {
        const CallerIdentity identity = identity_of(req);
        TRY(done(make(parent->fd().get(), identity)));
    }
    return find_name(req, parent, name);
}

Answer mknod(fuse_req_t req, const InodePtr& parent, const char* name, mode_t mode, dev_t device) {
    return make_object(req, parent, name, [&](int directory, const CallerIdentity& identity) {
        return ::mknodat(directory, name, identity.masked(mode), device);
    });
}

Answer mkdir(fuse_req_t req, const InodePtr& parent, const char* name, mode_t mode) {
    return make_object(req, parent, name, [&](int directory, const CallerIdentity& identity) {
        return ::mkdirat(directory, name, identity.masked(mode));
    });
}

Answer symlink(fuse_req_t req, const char* target, const InodePtr& parent, const char* name) {
    return make_object(req, parent, name, [&](int directory, const CallerIdentity& /*identity*/) {
        return ::symlinkat(target, directory, name);
    });
}

Answer link(fuse_req_t req, const InodePtr& inode, const InodePtr& parent, const char* name) {
    TRY(backing::add_name(inode->fd(), parent->fd(), name));
    if (inode->data() != nullptr) {
        inode->data()->attributes_changed();
    }
    return find_name(req, parent, name);
}

struct CreatedFile {
    backing::Object object;
    Fd fd; ///< for reading and writing
};

/// open(2) with O_CREAT.
Result<CreatedFile> create_file(fuse_req_t req, const InodePtr& parent, const char* name,
                                mode_t mode, int flags) {
    auto made = TRY(with_room(mount_of(req), [&] {
        const CallerIdentity identity = identity_of(req);
        // O_PATH would not create; O_RDWR gives EISDIR for an existing directory.
        return Fd::open(parent->fd().get(), name,
                        O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | (flags & O_EXCL),
                        identity.masked(mode));
    }));
    auto path_fd = TRY(with_room(mount_of(req), [&] { return base::reopen(made, O_PATH); }));
    auto object = TRY(backing::object_of(std::move(path_fd)));
    return CreatedFile{std::move(object), std::move(made)};
}

Answer create(fuse_req_t req, const InodePtr& parent, const char* name, mode_t mode,
              fuse_file_info* info) {
    Mount& mount = mount_of(req);
    auto created = TRY(create_file(req, parent, name, mode, info->flags));
    auto entry = TRY(entry_for(mount, parent, name, std::move(created.object)));
    const auto opened = base::without_exceptions([&] {
        return open_file(mount, entry.inode, fuse_req_ctx(req)->pid, *info, std::move(created.fd));
    });
    if (!opened) {
        mount.inodes.forget(entry.inode->id(), 1);
        return std::unexpected(opened.error());
    }
    return Created{std::move(entry), info};
}

/// The living inode that `name` refers to, to be notified of a change of the name. Null if the name
/// does not exist, or its object has no living inode.
InodePtr living(Mount& mount, const Inode& parent, const char* name) {
    struct stat status{};
    if (::fstatat(parent.fd().get(), name, &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) {
        return nullptr;
    }
    // A living inode keeps its object open, so no other object can have the same key.
    return mount.inodes.find(BackingKey{status.st_dev, status.st_ino});
}

/// A name of `inode` (may be null) has been removed.
void name_removed(Mount& mount, const InodePtr& inode) {
    if (!inode || inode->data() == nullptr) {
        return;
    }
    const auto status = backing::status_of(inode->fd());
    if (status && status->st_nlink == 0) {
        inode->data()->last_name_removed();
        mount.page_cache.close_way(inode->id());
        if (mount.context.power != nullptr) {
            mount.context.power->cache().forget({status->st_dev, status->st_ino});
        }
    } else {
        inode->data()->attributes_changed();
    }
}

Answer remove_name(fuse_req_t req, const InodePtr& parent, const char* name, int flags) {
    const auto inode = living(mount_of(req), *parent, name);
    TRY(done(::unlinkat(parent->fd().get(), name, flags)));
    name_removed(mount_of(req), inode);
    return Done{};
}

Answer unlink(fuse_req_t req, const InodePtr& parent, const char* name) {
    return remove_name(req, parent, name, 0);
}

Answer rmdir(fuse_req_t req, const InodePtr& parent, const char* name) {
    return remove_name(req, parent, name, AT_REMOVEDIR);
}

/// The path of a name relative to the mount.
std::string path_in(const Mount& mount, const Inode& directory, const std::string& name) {
    const std::string above =
        directory.id() == model::InodeId{1} ? std::string() : path_of(mount, directory) + '/';
    return above + name;
}

/// The rename itself, once the file's blocks are on disk.
Result<void> move_name(Mount& mount, const Inode& parent, const std::string& name,
                       const Inode& new_parent, const std::string& new_name, unsigned flags,
                       const InodePtr& moved) {
    const bool replaces = (flags & (RENAME_NOREPLACE | RENAME_EXCHANGE)) == 0;
    const auto target = living(mount, new_parent, new_name.c_str());
    TRY(done(::renameat2(parent.fd().get(), name.c_str(), new_parent.fd().get(), new_name.c_str(),
                         flags)));
    if (replaces && target != moved) {
        name_removed(mount, target);
    }
    for (const auto& inode : {moved, replaces ? nullptr : target}) {
        if (inode && inode->data() != nullptr) {
            inode->data()->attributes_changed();
        }
    }
    return {};
}

Answer rename(fuse_req_t req, const InodePtr& parent, const char* name, const InodePtr& new_parent,
              const char* new_name, unsigned flags) {
    Mount& mount = mount_of(req);
    const auto moved = living(mount, *parent, name);
    const auto go_on = [=, &mount, boot = boot_of(mount), from = std::string(name),
                        to = std::string(new_name)](int error) {
        const auto move = [&]() -> Result<void> {
            const Passage passage(boot); // the boot in which the request came
            const CutMoment moment(mount, power::Moment::rename,
                                   [&] { return path_in(mount, *new_parent, to); });
            if (passage.refused() || moment.refused()) {
                return base::failed(EIO);
            }
            const auto moved_name = move_name(mount, *parent, from, *new_parent, to, flags, moved);
            return moved_name && !moment.ended() ? Result<void>{base::failed(EIO)} : moved_name;
        };
        answer(req,
               error != 0 ? Result<void>{base::failed(error)} : base::without_exceptions(move));
    };
    if (!moved || moved->data() == nullptr || !moved->data()->needs_flush()) {
        go_on(0);
    } else {
        flush_own_blocks_then(mount, moved, go_on);
    }
    return Later{};
}

} // namespace

void add_name_requests(fuse_lowlevel_ops& ops) {
    using Ops = fuse_lowlevel_ops;
    // These need no reply, and unknown numbers in them are ignored.
    ops.forget = forget;
    ops.forget_multi = forget_multi;
    serve<&Ops::lookup, lookup>(ops);
    serve<&Ops::mknod, mknod>(ops);
    serve<&Ops::mkdir, mkdir>(ops);
    serve<&Ops::symlink, symlink>(ops);
    serve<&Ops::link, link>(ops);
    serve<&Ops::create, create>(ops);
    serve<&Ops::unlink, unlink>(ops);
    serve<&Ops::rmdir, rmdir>(ops);
    serve<&Ops::rename, rename>(ops);
}

} // namespace partialfs::fuse
