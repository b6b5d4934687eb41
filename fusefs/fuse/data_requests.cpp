#include "fusefs/fuse/data_requests.hpp"

#include "fusefs/file/buffer.hpp"
#include "fusefs/fuse/dispatch.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/session.hpp"
#include "fusefs/journal/journal.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace partialfs::fuse {
namespace {

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
    /// `its_position`: its place in the sequence of writeback errors.
    Handle(InodePtr its_inode, int its_flags, ErrorSequence::Position its_position)
        : inode(std::move(its_inode)), flags(its_flags), told(its_position) {}
    ~Handle() override { data().released(flags); }

    const InodePtr inode;
    const int flags;
    std::mutex mutex;             ///< guards `told`; taken before the file's mutex
    ErrorSequence::Position told; ///< of writeback errors

    [[nodiscard]] FileData& data() const { return *inode->data(); }
    /// The writeback error that this description has not been told of, or 0.
    int check_error() {
        const std::scoped_lock lock(mutex);
        return data().check_error(told);
    }
};

Handle& handle_of(const fuse_file_info& fi) {
    return static_cast<Handle&>(*reinterpret_cast<OpenHandle*>(fi.fh));
}

std::span<const std::byte> as_bytes(const char* data, std::size_t size) {
    return {reinterpret_cast<const std::byte*>(data), size};
}

ByteOffset offset_of(off_t offset) {
    return ByteOffset{static_cast<std::uint64_t>(offset)};
}

void enlist(Mount& mount, const std::shared_ptr<Inode>& inode) {
    if (!inode->data()->enlisted()) {
        mount.journal.enlist(shared_data(inode));
    }
}

/// Beyond this share of the dirty limit a commit begins without being asked for.
bool much_is_buffered(const Mount& mount) {
    return mount.context.budget.used() > mount.context.budget.limit() / 4;
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

void flush(fuse_req_t req, fuse_ino_t, fuse_file_info* fi) {
    fuse_reply_err(req, handle_of(*fi).check_error());
}

void read(fuse_req_t req, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* fi) {
    FileData& data = handle_of(*fi).data();
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

/// A write(2) that waits for room, with the memory that it came in.
class WaitingWrite {
  public:
    WaitingWrite(fuse_req_t request, std::shared_ptr<Inode> file, ByteOffset at,
                 std::span<const std::byte> data, PoolMemory memory)
        : req_(request), inode_(std::move(file)), offset_(at), bytes_(data),
          memory_(std::move(memory)) {}

    /// Whether it went through, and was answered.
    bool attempt(Mount& mount) {
        const bool done = inode_->data()->write(
            offset_, bytes_, [&] { return buffer_from(memory_, mount.context.budget); });
        if (done) {
            enlist(mount, inode_);
            fuse_reply_write(req_, bytes_.size());
        }
        return done;
    }

  private:
    fuse_req_t req_;
    std::shared_ptr<Inode> inode_;
    ByteOffset offset_;
    std::span<const std::byte> bytes_;
    PoolMemory memory_;
};

/// Lets a write wait for room.
void wait_for_room(Mount& mount, fuse_req_t req, const std::shared_ptr<Inode>& inode,
                   ByteOffset offset, std::span<const std::byte> bytes, PoolMemory memory) {
    const auto waiting =
        std::make_shared<WaitingWrite>(req, inode, offset, bytes, std::move(memory));
    mount.journal.write_when_room([waiting, &mount] { return waiting->attempt(mount); },
                                  [req](int error) { fuse_reply_err(req, error); });
}

void explicit_write(fuse_req_t req, Mount& mount, const std::shared_ptr<Inode>& inode,
                    std::span<const std::byte> bytes, ByteOffset offset) {
    PoolMemory memory(nullptr, file::GiveBack{&mount.memory});
    const bool done = inode->data()->write(offset, bytes, [&] {
        memory.reset(Session::take_request_memory());
        return buffer_from(memory, mount.context.budget);
    });
    if (done) {
        enlist(mount, inode);
        if (much_is_buffered(mount)) {
            mount.journal.hurry();
        }
        fuse_reply_write(req, bytes.size());
        return;
    }
    if (!memory) {
        memory.reset(Session::take_request_memory());
    }
    wait_for_room(mount, req, inode, offset, bytes, std::move(memory));
}

void write(fuse_req_t req, fuse_ino_t number, const char* data, std::size_t size, off_t offset,
           fuse_file_info* fi) {
    Mount& mount = mount_of(req);
    const std::span<const std::byte> bytes = as_bytes(data, size);
    if (fi->writepage != 0) {
        // The handle may be any of the inode's, even one that is closed by now.
        const auto inode = mount.inodes.find(model::InodeId{number});
        if (!inode || inode->data() == nullptr) {
            answer(req, ESTALE);
            return;
        }
        const Result<void> written = inode->data()->writepage(offset_of(offset), bytes);
        enlist(mount, inode);
        if (written) {
            fuse_reply_write(req, size);
        } else {
            answer(req, written.error().value);
        }
        return;
    }
    if (mount.ending) {
        answer(req, ESHUTDOWN);
        return;
    }
    Handle& handle = handle_of(*fi);
    if (const int error = handle.check_error(); error != 0) {
        fuse_reply_err(req, error);
        return;
    }
    const auto fits = handle.data().within_largest_size(offset_of(offset), size);
    if (!fits) {
        answer(req, fits.error().value);
        return;
    }
    explicit_write(req, mount, handle.inode, bytes.first(*fits), offset_of(offset));
}

void fsync(fuse_req_t req, fuse_ino_t, int data_only, fuse_file_info* fi) {
    Mount& mount = mount_of(req);
    Handle& handle = handle_of(*fi);
    enlist(mount, handle.inode);
    // The kernel does not release the handle before this request is answered.
    mount.journal.fsync(shared_data(handle.inode), data_only != 0, [req, &handle](int error) {
        const int told = handle.check_error();
        fuse_reply_err(req, told != 0 ? told : error);
    });
}

void fallocate(fuse_req_t req, fuse_ino_t, int mode, off_t offset, off_t length,
               fuse_file_info* fi) {
    Mount& mount = mount_of(req);
    const Handle& handle = handle_of(*fi);
    const ByteOffset begin = offset_of(offset);
    const Result<void> done = handle.data().allocate(
        mode, {begin, begin + ByteCount{static_cast<std::uint64_t>(length)}});
    enlist(mount, handle.inode);
    answer(req, done);
}

void lseek(fuse_req_t req, fuse_ino_t, off_t offset, int whence, fuse_file_info* fi) {
    if (whence != SEEK_DATA && whence != SEEK_HOLE) {
        answer(req, EINVAL);
        return;
    }
    const Result<ByteOffset> found = handle_of(*fi).data().seek(offset_of(offset), whence);
    if (found) {
        fuse_reply_lseek(req, static_cast<off_t>(found->value));
    } else {
        answer(req, found.error().value);
    }
}

/// The kernel has written both files' mapped pages back before it asks, and drops the target's
/// afterwards. To the block states it is a write(2).
void copy_file_range(fuse_req_t req, fuse_ino_t, off_t from_offset, fuse_file_info* from_fi,
                     fuse_ino_t, off_t to_offset, fuse_file_info* to_fi, std::size_t length, int) {
    Mount& mount = mount_of(req);
    if (mount.ending) {
        answer(req, ESHUTDOWN);
        return;
    }
    Handle& from = handle_of(*from_fi);
    const Handle& to = handle_of(*to_fi);
    constexpr std::size_t kPiece = std::size_t{128} * 1024;
    std::vector<std::byte> piece(std::min(length, kPiece));
    std::size_t done = 0;
    // Bounded, so that a request thread is not busy for long; the caller goes on by itself.
    while (done < std::min(length, 64 * kPiece)) {
        const std::span<std::byte> part = std::span(piece).first(std::min(length - done, kPiece));
        Result<std::size_t> got =
            from.data().read(offset_of(from_offset) + ByteCount{done}, part, /*cached=*/false);
        if (!got) {
            if (done == 0) {
                answer(req, got.error().value);
                return;
            }
            break;
        }
        if (*got == 0) {
            break;
        }
        const auto fits =
            to.data().within_largest_size(offset_of(to_offset) + ByteCount{done}, *got);
        if (!fits) {
            if (done == 0) {
                answer(req, fits.error().value);
                return;
            }
            break;
        }
        *got = *fits;
        if (!to.data().write(offset_of(to_offset) + ByteCount{done}, part.first(*got),
                             [] { return nullptr; })) {
            if (done != 0) {
                break;
            }
            // No room at all: the bytes wait as those of a write(2) do.
            PoolMemory memory(std::malloc(*got), file::GiveBack{&mount.small_memory});
            if (!memory) {
                answer(req, ENOMEM);
                return;
            }
            auto* const copy = static_cast<std::byte*>(memory.get());
            std::ranges::copy(part.first(*got), copy);
            wait_for_room(mount, req, to.inode, offset_of(to_offset), {copy, *got},
                          std::move(memory));
            return;
        }
        done += *got;
        if (*got < part.size()) {
            break;
        }
    }
    if (done > 0) {
        enlist(mount, to.inode);
    }
    fuse_reply_write(req, done);
}

void retrieve_reply(fuse_req_t req, void*, fuse_ino_t number, off_t offset, fuse_bufvec* data) {
    mount_of(req).page_cache.retrieved(model::InodeId{number}, offset_of(offset), *data);
    fuse_reply_none(req);
}

} // namespace

base::Result<void> open_file(Mount& mount, const std::shared_ptr<Inode>& inode, pid_t caller,
                             fuse_file_info& fi, base::Fd created) {
    if (inode->data() == nullptr) {
        return base::failed(inode->type() == S_IFDIR ? EISDIR : ENXIO);
    }
    // A descriptor that comes along is all that is needed, so that it is not moved from twice.
    const Result<ErrorSequence::Position> position =
        with_room(mount, [&] { return inode->data()->opened(fi.flags, std::move(created)); });
    if (!position) {
        return std::unexpected(position.error());
    }
    auto handle = [&] {
        try {
            return std::make_shared<Handle>(inode, fi.flags, *position);
        } catch (...) {
            inode->data()->released(fi.flags);
            throw;
        }
    }();
    if ((fi.flags & O_ACCMODE) != O_RDONLY) {
        enlist(mount, inode);
    }
    fi.fh = mount.handles.add(std::move(handle));
    // Only the daemon changes the data, and it says so itself.
    fi.keep_cache = 1;
    fi.noflush = mount.page_cache.is_probing(caller) ? 1 : 0;
    return {};
}

void flush_own_blocks_then(Mount& mount, const std::shared_ptr<Inode>& inode,
                           std::function<void(int)> then) {
    FileData& data = *inode->data();
    if (data.needs_kernel()) {
        mount.journal.flush_file(shared_data(inode), std::move(then));
        return;
    }
    const FileData::Flushed flushed = data.flush_buffers(mount.journal.running_commit());
    if (flushed.error != 0) {
        data.report_failure(flushed.error, true);
    }
    then(flushed.error);
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
    serve<&Ops::copy_file_range, copy_file_range>(ops);
    // Not answered; one that nobody waits for is dropped.
    ops.retrieve_reply = retrieve_reply;
}

} // namespace partialfs::fuse
