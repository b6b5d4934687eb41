#include "fusefs/fuse/data_requests.hpp"

#include "fusefs/base/exceptions.hpp"
#include "fusefs/base/mutex.hpp"
#include "fusefs/file/buffer.hpp"
#include "fusefs/fuse/control_directory.hpp"
#include "fusefs/fuse/dispatch.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/passage.hpp"
#include "fusefs/fuse/power_cut.hpp"
#include "fusefs/fuse/reply.hpp"
#include "fusefs/fuse/resource_limits.hpp"
#include "fusefs/fuse/session.hpp"
#include "fusefs/journal/journal.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace partialfs::fuse {
namespace {

using base::Errno;
using base::Result;
using file::Buffer;
using file::ErrorSequence;
using file::FileData;
using file::PoolMemory;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;

/// An open file description.
struct Handle final : OpenHandle {
    Handle(Mount& its_mount, InodePtr its_inode, int its_flags)
        : mount(its_mount), inode(std::move(its_inode)), flags(its_flags) {}
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() override;

    Mount& mount;
    const InodePtr inode;
    const int flags;
    /// A program's, which the file counts; else the daemon's own way to the page cache.
    bool counted = false;
    base::Mutex mutex;                                  ///< taken before the file's mutex
    ErrorSequence::Position told GUARDED_BY(mutex) = 0; ///< of writeback errors

    [[nodiscard]] bool is_dead() const override { return inode->is_dead(); }
    [[nodiscard]] FileData& data() const { return *inode->data(); }
    /// The writeback error that this description is to be told of now, or 0.
    int check_error(FileData::ErrorAt at) {
        const base::Lock lock(mutex);
        return data().check_error(told, at);
    }
};

using HandlePtr = std::shared_ptr<Handle>;

std::span<const std::byte> as_bytes(const char* data, std::size_t size) {
    return {reinterpret_cast<const std::byte*>(data), size};
}

ByteOffset offset_of(off_t offset) {
    return ByteOffset{static_cast<std::uint64_t>(offset)};
}

void join(Mount& mount, const std::shared_ptr<Inode>& inode) {
    if (!inode->data()->joined()) {
        mount.journal.join(shared_data(inode));
    }
}

/// Beyond this share of the dirty limit a commit begins without being asked for.
bool much_is_buffered(const Mount& mount) {
    return mount.context.budget.used() > mount.context.budget.limit() / 4;
}

Handle::~Handle() {
    if (!counted || !data().released(flags)) {
        return;
    }
    mount.page_cache.close_way(inode->id());
    // The next commit lets the file go; without memory for that, a later one does.
    static_cast<void>(base::without_exceptions([&]() -> Result<void> {
        join(mount, inode);
        return {};
    }));
}

Answer open(fuse_req_t req, const InodePtr& inode, fuse_file_info* fi) {
    const Result<void> opened = open_file(mount_of(req), inode, fuse_req_ctx(req)->pid, *fi);
    if (!opened) {
        return std::unexpected(opened.error());
    }
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
    const ByteRange range{offset_of(offset), offset_of(offset) + ByteCount{size}};
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

/// Makes `memory` a buffer charged to the budget, if that allows it; `memory` is null then.
std::shared_ptr<Buffer> buffer_from(PoolMemory& memory, file::BufferBudget& budget) {
    if (!memory) {
        return nullptr;
    }
    const std::size_t capacity = malloc_usable_size(memory.get());
    auto buffer = std::make_shared<Buffer>(std::move(memory), capacity, budget);
    if (!buffer->charge(capacity)) {
        memory = buffer->release();
        return nullptr;
    }
    return buffer;
}

/// A write(2) and the memory that it came in.
struct Write {
    fuse_req_t req;
    std::shared_ptr<Inode> inode;
    ByteOffset offset;
    std::span<const std::byte> bytes;
    FileData::Via via;
    pid_t caller;
    PoolMemory memory;
};

/// The bytes go to the disk at once, as far as the caller may use its space.
void write_through(Mount& mount, const Write& write) {
    const Result<std::size_t> written = base::without_exceptions([&]() -> Result<std::size_t> {
        if (write.inode->is_dead()) {
            return base::failed(EIO);
        }
        join(mount, write.inode); // first: there may be no memory for it
        const ResourceLimits limits(write.caller);
        return write.inode->data()->write_through(write.offset, write.bytes, write.via);
    });
    if (written) {
        fuse_reply_write(write.req, *written);
    } else {
        answer(write.req, written.error().value);
    }
}

bool try_write(Mount& mount, Write& write, const FileData::TakeMemory& take) {
    join(mount, write.inode); // first: there may be no memory for it
    const bool done = write.inode->data()->write(write.offset, write.bytes, write.via, take);
    if (done) {
        fuse_reply_write(write.req, write.bytes.size());
    }
    return done;
}

/// Waits for the room that a commit makes. A commit that makes none (another file's disk fails, or
/// the write alone is larger than the limit) will not make any the next time either: the disk is
/// asked.
void wait_for_room(Mount& mount, Write write) {
    const auto waiting = std::make_shared<Write>(std::move(write));
    mount.journal.commit([waiting, &mount](int error) {
        if (error == ENODEV || waiting->inode->is_dead()) {
            // No commit comes any more, or not for this file.
            fuse_reply_err(waiting->req, error == ENODEV ? error : EIO);
            return;
        }
        const auto take = [&] { return buffer_from(waiting->memory, mount.context.budget); };
        const Result<bool> tried = base::without_exceptions(
            [&]() -> Result<bool> { return try_write(mount, *waiting, take); });
        if (!tried) {
            answer(waiting->req, tried.error().value);
        } else if (!*tried) {
            write_through(mount, *waiting);
        }
    });
}

void explicit_write(Mount& mount, Write write) {
    FileData& data = *write.inode->data();
    if (!mount.context.space.may_wait(write.inode->fd(), data.device(), write.bytes.size(),
                                      mount.context.budget.used())) {
        write_through(mount, write);
        return;
    }
    const bool done = try_write(mount, write, [&] {
        write.memory.reset(Session::take_request_memory());
        return buffer_from(write.memory, mount.context.budget);
    });
    if (done) {
        if (much_is_buffered(mount)) {
            mount.journal.hurry();
        }
        return;
    }
    if (!write.memory) {
        write.memory.reset(Session::take_request_memory());
    }
    wait_for_room(mount, std::move(write));
}

/// The kernel's writeback.
Answer writepage(fuse_req_t req, fuse_ino_t number, std::span<const std::byte> bytes,
                 ByteOffset offset) {
    Mount& mount = mount_of(req);
    // The handle may be any of the inode's, even one that is closed by now.
    const auto inode = mount.inodes.find(model::InodeId{number});
    if (!inode || inode->data() == nullptr) {
        return base::failed(ESTALE);
    }
    const Passage passage(mount);
    const bool refused = passage.refused() || inode->is_dead() || !counted(req);
    const auto path = [&] { return path_of(mount, *inode); };
    const std::optional<CutMoment> moment =
        refused ? std::nullopt
                : std::optional<CutMoment>(std::in_place, mount, power::Moment::writepage, path);
    if (!moment || moment->refused()) {
        lose_pages(mount, *inode, offset, bytes);
        // An error of writeback is told to whoever calls syncfs(2) on a file opened before it. That
        // is right of a page that is lost in a cut; but none of the next boot's business is one
        // that the kernel could not drop then, as somebody stored into it or held it just then.
        return mount.context.power->is_on() ? Answer{Written{bytes.size()}} : base::failed(EIO);
    }
    join(mount, inode); // first: there may be no memory for it
    const Result<void> written = inode->data()->writepage(offset, bytes);
    if (!written) {
        return std::unexpected(written.error());
    }
    return moment->ended() ? Answer{Written{bytes.size()}} : base::failed(EIO);
}

void write(fuse_req_t req, fuse_ino_t number, const char* data, std::size_t size, off_t offset,
           fuse_file_info* fi) {
    Mount& mount = mount_of(req);
    const std::span<const std::byte> bytes = as_bytes(data, size);
    if (fi->writepage != 0) {
        answer(req, writepage(req, number, bytes, offset_of(offset)));
        return;
    }
    const Passage passage(mount);
    if (passage.refused() || !counted(req)) {
        answer(req, EIO);
        return;
    }
    if (mount.ending) {
        answer(req, ESHUTDOWN);
        return;
    }
    const auto handle = mount.handles.find<Handle>(fi->fh);
    if (handle && handle->is_dead()) {
        answer(req, EIO);
        return;
    }
    if (const int error = handle ? handle->check_error(FileData::ErrorAt::other) : EBADF;
        error != 0) {
        answer(req, error);
        return;
    }
    const auto fits = handle->data().within_largest_size(offset_of(offset), size);
    if (!fits) {
        answer(req, fits.error().value);
        return;
    }
    explicit_write(mount, {.req = req,
                           .inode = handle->inode,
                           .offset = offset_of(offset),
                           .bytes = bytes.first(*fits),
                           .via = (fi->flags & O_DIRECT) != 0 ? FileData::Via::direct
                                                              : FileData::Via::page_cache,
                           .caller = fuse_req_ctx(req)->pid,
                           .memory = PoolMemory(nullptr, file::GiveBack{&mount.memory})});
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
                            // What the power took would look as if there were nothing to sync.
                            const bool cut = !moment.ended() || handle->is_dead();
                            answer(req, cut ? EIO : told != 0 ? told : error);
                        });
}

void fallocate(fuse_req_t req, fuse_ino_t, int mode, off_t offset, off_t length,
               const HandlePtr& handle) {
    Mount& mount = mount_of(req);
    const ByteOffset begin = offset_of(offset);
    const Result<void> done = handle->data().allocate(
        mode, {begin, begin + ByteCount{static_cast<std::uint64_t>(length)}});
    join(mount, handle->inode);
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
        const Result<ByteOffset> found = inode->data()->seek(offset_of(offset), whence, stored);
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
    // Not on this thread, which may be needed for what the kernel then asks.
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
    // Only the daemon changes the data, and it says so itself.
    fi.keep_cache = 1;
    if (mount.page_cache.is_probing(caller)) {
        fi.noflush = 1;
        fi.fh = mount.handles.add(std::move(handle));
        return {};
    }
    // A descriptor that comes along is all that is needed, so that it is not moved from twice.
    const Result<ErrorSequence::Position> position =
        created ? inode->data()->opened(fi.flags, std::move(created))
                : with_room(mount, [&] { return inode->data()->opened(fi.flags); });
    if (!position) {
        return std::unexpected(position.error());
    }
    handle->counted = true;
    {
        const base::Lock lock(handle->mutex);
        handle->told = *position;
    }
    if ((fi.flags & O_ACCMODE) == O_RDWR) {
        join(mount, inode); // a mapping tells nobody of its stores: a commit may have to look
    }
    fi.fh = mount.handles.add(std::move(handle));
    return {};
}

void flush_own_blocks_then(Mount& mount, const std::shared_ptr<Inode>& inode,
                           std::function<void(int)> then) {
    // Where descriptors are few, one for the file is found now. If not, the flush says so.
    const auto open = with_room(mount, [&] { return inode->data()->held_open(); });
    if (!inode->data()->needs_kernel()) {
        then(mount.journal.flush_file(*inode->data()));
        return;
    }
    // Not on this thread, which may be needed for what the kernel then asks.
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
    serve<&Ops::write, write>(ops);
    serve<&Ops::fsync, fsync>(ops);
    serve<&Ops::fallocate, fallocate>(ops);
    serve<&Ops::lseek, lseek>(ops);
    // No copy_file_range: the kernel, which then copies through its page cache, keeps that and the
    // mappings of both files coherent. A copy behind its back does not: between the writeback of
    // the target's pages and their end stores are made into pages that have not got the copied
    // bytes.
    // Not answered; one that nobody waits for is dropped.
    ops.retrieve_reply = retrieve_reply;
}

} // namespace partialfs::fuse
