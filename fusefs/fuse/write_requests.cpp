#include "fusefs/fuse/write_requests.hpp"

#include "fusefs/base/exceptions.hpp"
#include "fusefs/base/try.hpp"
#include "fusefs/file/buffer.hpp"
#include "fusefs/fuse/dispatch.hpp"
#include "fusefs/fuse/file_handle.hpp"
#include "fusefs/fuse/inode_table.hpp"
#include "fusefs/fuse/passage.hpp"
#include "fusefs/fuse/power_cut.hpp"
#include "fusefs/fuse/reply.hpp"
#include "fusefs/fuse/resource_limits.hpp"
#include "fusefs/fuse/session.hpp"
#include "fusefs/fuse/set_id_bits.hpp"
#include "fusefs/journal/change.hpp"

#include <fcntl.h>
#include <malloc.h>

#include <cerrno>
#include <optional>
#include <span>
#include <utility>

namespace partialfs::fuse {
namespace {

using base::Result;
using file::Buffer;
using file::FileData;
using file::PoolMemory;
using model::ByteOffset;

std::span<const std::byte> as_bytes(const char* data, std::size_t size) {
    return {reinterpret_cast<const std::byte*>(data), size};
}

/// Whether so much of the dirty limit is used that a commit is to begin.
bool much_is_buffered(const Mount& mount) {
    return mount.context.budget.used() > mount.context.budget.limit() / 4;
}

/// Makes a buffer of `memory` that is charged to the budget; `memory` is null then. Null, and
/// `memory` kept, if the budget does not allow it.
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

/// A write(2), and the memory in which it was received.
struct Write {
    fuse_req_t req;
    std::shared_ptr<Inode> inode;
    ByteOffset offset;
    std::span<const std::byte> bytes;
    FileData::Via via;
    pid_t caller;
    PoolMemory memory;
};

/// Writes the bytes to the disk at once, within the caller's limits on disk space.
void write_through(Mount& mount, const Write& write) {
    const Result<std::size_t> written = base::without_exceptions([&]() -> Result<std::size_t> {
        if (write.inode->is_dead()) {
            return base::failed(EIO);
        }
        const journal::Change change(mount.journal, shared_data(write.inode));
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
    const journal::Change change(mount.journal, shared_data(write.inode));
    const bool done = write.inode->data()->write(write.offset, write.bytes, write.via, take);
    if (done) {
        fuse_reply_write(write.req, write.bytes.size());
    }
    return done;
}

/// Waits for a commit to free memory. If it does not free enough (another file's disk fails, or the
/// write alone is larger than the limit), a further commit would not either: then the bytes are
/// written to the disk at once.
void wait_for_room(Mount& mount, Write write) {
    const auto waiting = std::make_shared<Write>(std::move(write));
    mount.journal.commit([waiting, &mount](int error) {
        if (error == ENODEV || waiting->inode->is_dead()) {
            // There will be no further commit, or none for this file.
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
    // By inode: fi->fh may be any handle of it, even one that is closed by now.
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
        // The kernel reports a writeback error also to syncfs(2) on any file opened before it. That
        // is right for a page lost in a cut. It is wrong in the next boot, for a page of the boot
        // before that the kernel could not drop, because it was in use.
        return mount.context.power->is_on() ? Answer{Written{bytes.size()}} : base::failed(EIO);
    }
    const journal::Change change(mount.journal, shared_data(inode));
    TRY(inode->data()->writepage(offset, bytes));
    return moment->ended() ? Answer{Written{bytes.size()}} : base::failed(EIO);
}

void write(fuse_req_t req, fuse_ino_t number, const char* data, std::size_t size, off_t offset,
           fuse_file_info* fi) {
    Mount& mount = mount_of(req);
    const std::span<const std::byte> bytes = as_bytes(data, size);
    if (fi->writepage != 0) {
        answer(req, writepage(req, number, bytes, model::offset_of(offset)));
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
    const auto fits = handle->data().within_largest_size(model::offset_of(offset), size);
    if (!fits) {
        answer(req, fits.error().value);
        return;
    }
    if (Session::clears_set_id()) {
        if (const auto cleared = clear_set_id(*handle->inode); !cleared) {
            answer(req, cleared.error().value);
            return;
        }
    }
    explicit_write(mount, {.req = req,
                           .inode = handle->inode,
                           .offset = model::offset_of(offset),
                           .bytes = bytes.first(*fits),
                           .via = (fi->flags & O_DIRECT) != 0 ? FileData::Via::direct
                                                              : FileData::Via::page_cache,
                           .caller = fuse_req_ctx(req)->pid,
                           .memory = PoolMemory(nullptr, file::GiveBack{&mount.memory})});
}

} // namespace

void add_write_requests(fuse_lowlevel_ops& ops) {
    serve<&fuse_lowlevel_ops::write, write>(ops);
}

} // namespace partialfs::fuse
