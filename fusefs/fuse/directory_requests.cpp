#include "fusefs/fuse/directory_requests.hpp"

#include "fusefs/backing/directory_stream.hpp"
#include "fusefs/base/exceptions.hpp"
#include "fusefs/base/mutex.hpp"
#include "fusefs/base/try.hpp"
#include "fusefs/faults/fault_book.hpp"
#include "fusefs/file/context.hpp"
#include "fusefs/fuse/dispatch.hpp"
#include "fusefs/fuse/listing.hpp"
#include "fusefs/fuse/listing_cache.hpp"
#include "fusefs/journal/journal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <memory>
#include <utility>

namespace partialfs::fuse {
namespace {

using backing::DirectoryEntry;
using backing::DirectoryStream;

/// An open directory of the mount.
struct DirectoryHandle final : OpenHandle {
    DirectoryHandle(InodePtr its_inode, DirectoryStream its_stream)
        : inode(std::move(its_inode)), stream(std::move(its_stream)) {}

    const InodePtr inode;
    base::Mutex mutex; ///< only the inode table's mutex is locked while it is held
    DirectoryStream stream GUARDED_BY(mutex);

    /// Needs no mutex, as it never changes.
    [[nodiscard]] int fd() const NO_THREAD_SAFETY_ANALYSIS { return stream.fd(); }
};
using DirectoryPtr = std::shared_ptr<DirectoryHandle>;

/// Whether the kernel may list the directory from the copy that it may have.
bool may_keep_listing(const Mount& mount, const Inode& inode, int fd) {
    // After a power cut names are what they were earlier; a fault's rule is for every listing.
    if (mount.context.power != nullptr || mount.faults.any(faults::Layer::request)) {
        return false;
    }
    struct stat status{};
    timespec now{};
    return ::fstat(fd, &status) == 0 && ::clock_gettime(CLOCK_REALTIME, &now) == 0 &&
           inode.listing_cache().may_keep(status, now, [fd] { return atime_rule_of(fd); });
}

Answer opendir(fuse_req_t req, const InodePtr& inode, fuse_file_info* info) {
    auto stream = TRY(with_room(mount_of(req), [&] { return DirectoryStream::open(inode->fd()); }));
    info->cache_readdir = 1;
    info->keep_cache = may_keep_listing(mount_of(req), *inode, stream.fd());
    info->fh =
        mount_of(req).handles.add(std::make_shared<DirectoryHandle>(inode, std::move(stream)));
    return Opened{info};
}

Answer releasedir(fuse_req_t req, fuse_ino_t /*number*/, fuse_file_info* info) {
    mount_of(req).handles.take(info->fh);
    return Done{};
}

/// The d_ino of an entry: its st_ino. The directory itself has another number for a mount point or
/// the root of a subvolume.
ino_t number_of(const Mount& mount, const DirectoryHandle& directory, const DirectoryEntry& entry) {
    const Inode& inode = *directory.inode;
    if (entry.name == "." || (entry.name == ".." && inode.id() == model::InodeId{1})) {
        return inode.number();
    }
    struct stat status{};
    const bool there =
        ::fstatat(directory.fd(), entry.name.c_str(), &status,
                  AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0; // if not, it was removed just now
    return mount.inodes.number_of(there ? BackingKey{status.st_dev, status.st_ino}
                                        : BackingKey{inode.key().device, entry.number});
}

/// Adds the entry without its inode: the kernel looks it up when it needs more.
bool add_name(const Mount& mount, const DirectoryHandle& directory, Listing& listing,
              const DirectoryEntry& entry) {
    return listing.add(entry.name.c_str(), number_of(mount, directory, entry), entry.type,
                       entry.next);
}

/// Adds the entry with its inode, which the kernel knows from then on.
bool add_inode(Mount& mount, const DirectoryHandle& directory, Listing& listing,
               const DirectoryEntry& entry) {
    const auto name_alone = [&] {
        fuse_entry_param nothing_known{};
        nothing_known.attr.st_ino = number_of(mount, directory, entry);
        nothing_known.attr.st_mode = entry.type;
        return listing.add_plus(entry.name.c_str(), nothing_known, entry.next);
    };
    if (entry.name == "." || entry.name == ".." || mount.inodes.crowded()) {
        return name_alone();
    }
    auto object = backing::open_object(directory.inode->fd(), entry.name.c_str());
    if (!object) {
        // Removed since it was read, or it cannot be opened: only the name is known.
        return name_alone();
    }
    const auto known = entry_of(
        mount, mount.inodes.remember(std::move(*object), directory.inode->id(), entry.name));
    if (!known) {
        return name_alone();
    }
    const bool had_room = listing.add_plus(entry.name.c_str(), known->parameters, entry.next);
    if (!had_room) {
        mount.inodes.forget(known->inode->id(), 1);
    }
    return had_room;
}

/// Adds entries from `position` on, by `add(listing, entry)`, until there is no room. Entries read
/// before an error are returned; the next request meets the error again.
template <typename Add>
Answer list(fuse_req_t req, std::size_t size, off_t position, DirectoryHandle& directory, Add add) {
    const bool at_root = directory.inode->id() == model::InodeId{1};
    Listing listing(req, size);
    const base::Lock lock(directory.mutex);
    for (;;) {
        auto entry = directory.stream.at(position);
        if (!entry && listing.empty()) {
            return std::unexpected(entry.error());
        }
        if (!entry || !*entry) {
            return listing.take();
        }
        const bool hidden = at_root && (*entry)->name == kControlName;
        if (!hidden && !add(listing, **entry)) {
            directory.stream.put_back(std::move(**entry), position);
            return listing.take();
        }
        position = (*entry)->next;
    }
}

Answer readdir(fuse_req_t req, fuse_ino_t /*number*/, std::size_t size, off_t position,
               const DirectoryPtr& directory) {
    return list(req, size, position, *directory,
                [&](Listing& listing, const DirectoryEntry& entry) {
                    return add_name(mount_of(req), *directory, listing, entry);
                });
}

Answer readdirplus(fuse_req_t req, fuse_ino_t /*number*/, std::size_t size, off_t position,
                   const DirectoryPtr& directory) {
    return list(req, size, position, *directory,
                [&](Listing& listing, const DirectoryEntry& entry) {
                    return add_inode(mount_of(req), *directory, listing, entry);
                });
}

/// As on ext3: the running transaction commits, then the directory's names are made durable.
Answer fsyncdir(fuse_req_t req, fuse_ino_t /*number*/, int /*data_only*/,
                const DirectoryPtr& directory) {
    Mount& mount = mount_of(req);
    power::Boot* const boot = boot_of(mount);
    mount.journal.commit([req, &mount, directory, boot](int error) {
        const auto sync = [&]() -> base::Result<void> {
            const Passage passage(boot); // the boot in which the request came
            if (passage.refused()) {
                return base::failed(EIO);
            }
            if (mount.context.disk().fsync(directory->fd()) != 0) {
                return base::last_error();
            }
            return {};
        };
        answer(req, error != 0 ? base::failed(error) : base::without_exceptions(sync));
    });
    return Later{};
}

} // namespace

void add_directory_requests(fuse_lowlevel_ops& ops) {
    using Ops = fuse_lowlevel_ops;
    serve<&Ops::opendir, opendir>(ops);
    serve<&Ops::readdir, readdir>(ops);
    serve<&Ops::readdirplus, readdirplus>(ops);
    serve<&Ops::releasedir, releasedir>(ops);
    serve<&Ops::fsyncdir, fsyncdir>(ops);
}

} // namespace partialfs::fuse
