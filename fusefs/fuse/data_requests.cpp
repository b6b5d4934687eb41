#include "fusefs/fuse/data_requests.hpp"

#include "fusefs/base/exceptions.hpp"
#include "fusefs/base/try.hpp"
#include "fusefs/fuse/control_directory.hpp"
#include "fusefs/fuse/dispatch.hpp"
#include "fusefs/fuse/file_handle.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/passage.hpp"
#include "fusefs/fuse/power_cut.hpp"
#include "fusefs/fuse/reply.hpp"
#include "fusefs/fuse/session.hpp"
#include "fusefs/fuse/set_id_bits.hpp"
#include "fusefs/journal/change.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace partialfs::fuse {
namespace {

using base::Result;
using file::FileData;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;

Answer open(fuse_req_t req, const InodePtr& inode, fuse_file_info* fi) {
    TRY(open_file(mount_of(req), inode, fuse_req_ctx(req)->pid, *fi));
    return Opened{fi};
}

Answer release(fuse_req_t req, fuse_ino_t, fuse_file_info* fi) {
    mount_of(req).handles.take(fi->fh);
    return Done{};
}

void flush(fuse_req_t req, fuse_ino_t, const HandlePtr& handle) {
    fuse_reply_err(req, handle->check_error(FileData::ErrorAt::other));
}

void read(fuse_req_t req, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* fi) {
    const auto handle = mount_of(req).handles.find<Handle>(fi->fh);
    if (!handle || handle->is_dead()) {
        answer(req, handle ? EIO : EBADF);
        return;
    }
    FileData& data = handle->data();
    const bool cached = (fi->flags & O_DIRECT) == 0;
    const ByteRange range{model::offset_of(offset), model::offset_of(offset) + ByteCount{size}};
    if (const auto fd = data.read_source(range, cached)) {
        fuse_bufvec source = FUSE_BUFVEC_INIT(size);
        source.buf[0].flags =
            static_cast<fuse_buf_flags>(FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK | FUSE_BUF_FD_RETRY);
        source.buf[0].fd = fd->get();
        source.buf[0].pos = offset;
        fuse_reply_data(req, &source, FUSE_BUF_SPLICE_MOVE);
        return;
    }
    const std::span<std::byte> memory = Session::scratch(size);
    const Result<std::size_t> got = data.read(range.begin, memory, cached);
    if (!got) {
        answer(req, got.error().value);
        return;
    }
    fuse_reply_buf(req, reinterpret_cast<const char*>(memory.data()), *got);
}

void fsync(fuse_req_t req, fuse_ino_t, int data_only, const HandlePtr& handle) {
    Mount& mount = mount_of(req);
    const CutMoment moment(mount, power::Moment::fsync,
                           [&] { return path_of(mount, *handle->inode); });
    if (moment.refused()) {
        answer(req, EIO);
        return;
    }
    join(mount, handle->inode);
    mount.journal.fsync(shared_data(handle->inode), data_only != 0,
                        [req, handle, moment](int error) {
                            const int told = handle->check_error(FileData::ErrorAt::sync);
                            // After a cut the file has nothing left to sync, so the fsync would
                            // succeed.
                            const bool cut = !moment.ended() || handle->is_dead();
                            answer(req, cut ? EIO : told != 0 ? told : error);
                        });
}

void fallocate(fuse_req_t req, fuse_ino_t, int mode, off_t offset, off_t length,
               const HandlePtr& handle) {
    Mount& mount = mount_of(req);
    const ByteOffset begin = model::offset_of(offset);
    if (mount.agreed.clears_set_id) {
        if (const auto cleared = clear_set_id_by(fuse_req_ctx(req)->pid, *handle->inode);
            !cleared) {
            answer(req, cleared.error().value);
            return;
        }
    }
    const journal::Change change(mount.journal, shared_data(handle->inode));
    const Result<void> done = handle->data().allocate(
        mode, {begin, begin + ByteCount{static_cast<std::uint64_t>(length)}});
    answer(req, done);
}

void lseek(fuse_req_t req, fuse_ino_t, off_t offset, int whence, const HandlePtr& handle) {
    if (whence != SEEK_DATA && whence != SEEK_HOLE) {
        answer(req, EINVAL);
        return;
    }
    Mount& mount = mount_of(req);
    const std::shared_ptr<Inode> inode = handle->inode;
    const auto found_in = [req, inode, offset, whence](const std::optional<file::PageSet>& stored) {
        const Result<ByteOffset> found =
            inode->data()->seek(model::offset_of(offset), whence, stored);
        if (found) {
            fuse_reply_lseek(req, static_cast<off_t>(found->value));
        } else {
            answer(req, found.error().value);
        }
    };
    if (const auto stored = inode->data()->stored_pages(mount.page_cache)) {
        found_in(stored);
        return;
    }
    // Not on this thread, which may be needed to serve the requests that the look causes.
    mount.control.submit([inode, found_in, &mount](bool serving) {
        found_in(serving ? inode->data()->look(mount.page_cache) : std::nullopt);
    });
}

void retrieve_reply(fuse_req_t req, void* cookie, fuse_ino_t, off_t, fuse_bufvec* data) {
    mount_of(req).page_cache.retrieves().arrived(cookie, *data);
    fuse_reply_none(req);
}

} // namespace

base::Result<void> open_file(Mount& mount, const InodePtr& inode, pid_t caller, fuse_file_info& fi,
                             base::Fd created) {
    if (inode->data() == nullptr) {
        return base::failed(inode->type() == S_IFDIR ? EISDIR : ENXIO);
    }
    auto handle = std::make_shared<Handle>(mount, inode, fi.flags);
    // Only the daemon changes the data, and it then notifies the kernel.
    fi.keep_cache = 1;
    if (mount.page_cache.is_probing(caller)) {
        fi.noflush = 1;
        fi.fh = mount.handles.add(std::move(handle));
        return {};
    }
    // with_room() may call its function twice, so `created` must not be moved from inside it. With
    // `created` no other descriptor is needed.
    const auto position =
        TRY(created ? inode->data()->opened(fi.flags, std::move(created))
                    : with_room(mount, [&] { return inode->data()->opened(fi.flags); }));
    handle->counted = true;
    {
        const base::Lock lock(handle->mutex);
        handle->told = position;
    }
    if ((fi.flags & O_ACCMODE) == O_RDWR) {
        join(mount, inode); // mapped stores send no request, so a commit has to look for them
    }
    fi.fh = mount.handles.add(std::move(handle));
    return {};
}

void flush_own_blocks_then(Mount& mount, const std::shared_ptr<Inode>& inode,
                           std::function<void(int)> then) {
    // Makes room for a descriptor of the file now, where they are scarce. An error is ignored: the
    // flush will report it.
    const auto open = with_room(mount, [&] { return inode->data()->held_open(); });
    if (!inode->data()->needs_kernel()) {
        then(mount.journal.flush_file(*inode->data()));
        return;
    }
    // Not on this thread, which may be needed to serve the requests that the flush causes.
    mount.control.submit([&mount, inode, then = std::move(then)](bool serving) {
        then(serving ? mount.journal.flush_file(*inode->data()) : ENODEV);
    });
}

void add_data_requests(fuse_lowlevel_ops& ops) {
    using Ops = fuse_lowlevel_ops;
    serve<&Ops::open, open>(ops);
    serve<&Ops::release, release>(ops);
    serve<&Ops::flush, flush>(ops);
    serve<&Ops::read, read>(ops);
    serve<&Ops::fsync, fsync>(ops);
    serve<&Ops::fallocate, fallocate>(ops);
    serve<&Ops::lseek, lseek>(ops);
    // No copy_file_range: the kernel then copies through its page cache, so that the mappings of
    // both files stay coherent. A copy made by the daemon would not be: stores could be made into
    // pages of the target that do not have the copied bytes, after their writeback and before they
    // are dropped.
    // Needs no reply; one that nobody waits for is dropped.
    ops.retrieve_reply = retrieve_reply;
}

} // namespace partialfs::fuse
