#include "fusefs/fuse/directory_requests.hpp"

#include "fusefs/backing/directory_stream.hpp"
#include "fusefs/base/exceptions.hpp"
#include "fusefs/fuse/reply.hpp"
#include "fusefs/journal/journal.hpp"

#include <memory>
#include <mutex>
#include <vector>

namespace partialfs::fuse {
namespace {

using backing::DirectoryEntry;
using backing::DirectoryStream;
using base::Errno;

/// An open directory of the mount; fi->fh points to it.
struct DirectoryHandle {
    DirectoryHandle(std::shared_ptr<Inode> its_inode, DirectoryStream its_stream)
        : inode(std::move(its_inode)), stream(std::move(its_stream)) {}

    std::shared_ptr<Inode> inode;
    std::mutex mutex; ///< guards the stream; nothing but the inode table's is locked inside it
    DirectoryStream stream;
};

DirectoryHandle& handle_of(const fuse_file_info* fi) {
    return OpenHandles::get<DirectoryHandle>(fi->fh);
}

void opendir(fuse_req_t req, fuse_ino_t number, fuse_file_info* fi) {
    const auto inode = inode_of(req, number);
    if (!inode) {
        reply(req, Errno{ESTALE});
        return;
    }
    auto stream = DirectoryStream::open(inode->fd());
    if (!stream) {
        reply(req, stream.error());
        return;
    }
    OpenHandles& handles = mount_of(req).handles;
    fi->fh = handles.add(std::make_unique<DirectoryHandle>(inode, std::move(*stream)));
    if (fuse_reply_open(req, fi) != 0) {
        handles.take(fi->fh); // there will be no releasedir()
    }
}

void releasedir(fuse_req_t req, fuse_ino_t, fuse_file_info* fi) {
    mount_of(req).handles.take(fi->fh);
    reply(req, Errno{0});
}

/// One page of a listing, in the form of the reply.
class Listing {
  public:
    Listing(fuse_req_t req, std::size_t size) : req_(req), bytes_(size) {}

    /// Whether the entry had room.
    bool add(const DirectoryEntry& entry) {
        struct stat status{};
        status.st_ino = entry.number;
        status.st_mode = entry.type;
        return took(
            fuse_add_direntry(req_, rest(), room(), entry.name.c_str(), &status, entry.next));
    }
    bool add_plus(const DirectoryEntry& entry, const fuse_entry_param& known) {
        return took(
            fuse_add_direntry_plus(req_, rest(), room(), entry.name.c_str(), &known, entry.next));
    }
    [[nodiscard]] bool empty() const { return used_ == 0; }
    void send() const { fuse_reply_buf(req_, bytes_.data(), used_); }

  private:
    char* rest() { return bytes_.data() + used_; }
    [[nodiscard]] std::size_t room() const { return bytes_.size() - used_; }
    bool took(std::size_t needed) {
        if (needed > room()) {
            return false;
        }
        used_ += needed;
        return true;
    }

    fuse_req_t req_;
    std::vector<char> bytes_;
    std::size_t used_ = 0;
};

/// Adds the entry alone: the kernel looks it up when it needs more.
bool add_name(Listing& listing, const DirectoryEntry& entry) {
    return listing.add(entry);
}

/// Adds the entry together with its inode, which the kernel thereby knows.
bool add_inode(Mount& mount, const Inode& directory, Listing& listing,
               const DirectoryEntry& entry) {
    fuse_entry_param nothing_known{};
    nothing_known.attr.st_ino = entry.number;
    nothing_known.attr.st_mode = entry.type;
    if (entry.name == "." || entry.name == ".." || mount.inodes.crowded()) {
        return listing.add_plus(entry, nothing_known);
    }
    auto object = backing::open_object(directory.fd(), entry.name.c_str());
    if (!object) {
        // Removed since it was read, or out of reach: the name is all there is.
        return listing.add_plus(entry, nothing_known);
    }
    const auto inode = mount.inodes.remember(std::move(*object), directory.id(), entry.name);
    const auto known = entry_of(mount, *inode);
    const bool had_room = listing.add_plus(entry, known ? *known : nothing_known);
    if (!had_room || !known) {
        mount.inodes.forget(inode->id(), 1);
    }
    return had_room;
}

/// Adds entries from `position` on until there is no room. What was read before an error is kept;
/// the error comes again at the next request.
template <typename Add>
base::Result<void> fill(Listing& listing, off_t position, DirectoryHandle& handle, Add add) {
    const bool at_root = handle.inode->id() == model::InodeId{1};
    const std::lock_guard lock(handle.mutex);
    for (;;) {
        auto entry = handle.stream.at(position);
        if (!entry && listing.empty()) {
            return std::unexpected(entry.error());
        }
        if (!entry || !*entry) {
            return {};
        }
        const bool hidden = at_root && (*entry)->name == kControlName;
        if (!hidden && !add(listing, **entry)) {
            handle.stream.put_back(std::move(**entry), position);
            return {};
        }
        position = (*entry)->next;
    }
}

/// Replies last of all: from then on another thread may release the handle.
template <typename Add>
void list(fuse_req_t req, std::size_t size, off_t position, DirectoryHandle& handle, Add add) {
    Listing listing(req, size);
    if (const auto filled = fill(listing, position, handle, add); !filled) {
        reply(req, filled);
        return;
    }
    listing.send();
}

void readdir(fuse_req_t req, fuse_ino_t, std::size_t size, off_t position, fuse_file_info* fi) {
    list(req, size, position, handle_of(fi), add_name);
}

void readdirplus(fuse_req_t req, fuse_ino_t, std::size_t size, off_t position, fuse_file_info* fi) {
    Mount& mount = mount_of(req);
    DirectoryHandle& handle = handle_of(fi);
    list(req, size, position, handle, [&](Listing& listing, const DirectoryEntry& entry) {
        return add_inode(mount, *handle.inode, listing, entry);
    });
    mount.inodes.wait_if_crowded();
}

/// As on ext3: the running transaction commits, then the directory's names are made durable.
void fsyncdir(fuse_req_t req, fuse_ino_t, int, fuse_file_info* fi) {
    Mount& mount = mount_of(req);
    // The kernel keeps the handle open until it is answered.
    DirectoryHandle& handle = handle_of(fi);
    mount.journal.commit([req, &mount, &handle](int error) {
        const auto sync = [&]() -> base::Result<void> {
            if (mount.context.io.fsync(handle.stream.fd()) != 0) {
                return base::last_error();
            }
            return {};
        };
        reply(req, error != 0 ? base::failed(error) : base::without_exceptions(sync));
    });
}

} // namespace

void add_directory_requests(fuse_lowlevel_ops& ops) {
    ops.opendir = opendir;
    ops.readdir = readdir;
    ops.readdirplus = readdirplus;
    ops.releasedir = releasedir;
    ops.fsyncdir = fsyncdir;
}

} // namespace partialfs::fuse
