#include "fusefs/file/file_requests.hpp"

#include "fusefs/base/try.hpp"
#include "fusefs/file/resize.hpp"
#include "fusefs/file/writeback.hpp"
#include "fusefs/trace/recorder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace partialfs::file {

using base::Result;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::PageIndex;

namespace {

bool writes(int flags) {
    return (flags & O_ACCMODE) != O_RDONLY;
}
bool reads(int flags) {
    return (flags & O_ACCMODE) != O_WRONLY;
}

} // namespace

// --- Open and close
// -------------------------------------------------------------------------------

Result<ErrorSequence::Position> FileRequests::opened(int flags, base::Fd created) {
    const FileLock lock(parts_);
    parts_.backing.adopt(std::move(created));
    TRY(writes(flags) ? parts_.backing.writable() : parts_.backing.readable());
    if (writes(flags) && parts_.backing.append_only() && (flags & O_APPEND) == 0) {
        parts_.lock_close_if_unused();
        return base::failed(EPERM);
    }
    if (parts_.handles == 0 && parts_.lock_clean()) {
        // Only the daemon should change SOURCE; if somebody else did, take over the new size.
        if (const auto status = parts_.backing.status()) {
            parts_.state.adopt(model::offset_of(status->st_size),
                               status->st_blocks * 512 < status->st_size);
        }
    }
    ++parts_.handles;
    attributes_.opened();
    if ((flags & O_ACCMODE) == O_RDWR) {
        ++parts_.mappable_handles;
    }
    if ((flags & O_CREAT) != 0) {
        parts_.state.attributes_changed();
    }
    return parts_.errors.sample();
}

bool FileRequests::released(int flags) {
    BackingFile::Handle read_from;
    bool last_mappable = false;
    {
        const FileLock lock(parts_);
        if (reads(flags) && parts_.state.size() > ByteOffset{0}) {
            read_from = parts_.backing.readable().value_or(nullptr);
        }
        --parts_.handles;
        if ((flags & O_ACCMODE) == O_RDWR) {
            --parts_.mappable_handles;
            last_mappable = parts_.mappable_handles == 0;
        }
        parts_.lock_close_if_unused();
    }
    if (read_from) {
        attributes_.may_have_been_read(read_from);
    }
    return last_mappable;
}

int FileRequests::check_error(ErrorSequence::Position& told, ErrorAt at) {
    const model::AfterWriteError after = parts_.after_write_error();
    if (at != ErrorAt::sync && model::tells_at_sync_alone(after)) {
        return 0;
    }
    const FileLock lock(parts_);
    if (model::tells_one_alone(after)) {
        return parts_.errors.take(told);
    }
    return parts_.errors.check_and_advance(told);
}

// --- Data
// -----------------------------------------------------------------------------------------

Result<std::size_t> FileRequests::read(ByteOffset offset, std::span<std::byte> target,
                                       bool cached) {
    {
        const FileLock lock(parts_);
        const ByteRange range{offset, offset + ByteCount{target.size()}};
        if (cached) {
            lock_note_read(range);
        }
        const bool held_back = parts_.state.size() != parts_.state.backing_size() ||
                               parts_.held.buffered().touches(range);
        if (held_back || parts_.hashes.wanted()) {
            const std::span<std::byte> seen =
                target.first(intersect(range, parts_.state.within_size()).size().value);
            TRY(parts_.lock_read_image(offset, seen));
            if (cached) {
                parts_.hashes.set(offset, seen);
            }
            return seen.size();
        }
    }
    return parts_.backing.read(offset, target);
}

BackingFile::Handle FileRequests::read_source(ByteRange range, bool cached) {
    if (!parts_.backing.may_read_directly()) {
        return nullptr;
    }
    const FileLock lock(parts_);
    if (parts_.state.size() != parts_.state.backing_size() || parts_.hashes.wanted() ||
        parts_.held.buffered().touches(range)) {
        return nullptr;
    }
    if (cached) {
        lock_note_read(range);
    }
    return parts_.backing.readable().value_or(nullptr);
}

void FileRequests::lock_note_read(ByteRange range) {
    parts_.context.trace.record({.inode = parts_.id,
                                 .page_or_offset = range.begin.value,
                                 .length = range.size().value,
                                 .kind = trace::Kind::page_read});
    parts_.losses.pages_read(range);
    parts_.held.cache_caught_up(range);
    parts_.state.pages_read(range, parts_.policy(), parts_.contract());
}

bool FileRequests::write(ByteOffset offset, std::span<const std::byte> bytes, Via via,
                         const TakeMemory& take) {
    const FileLock lock(parts_);
    const ByteRange range{offset, offset + ByteCount{bytes.size()}};
    if (range.empty()) {
        return true;
    }
    if (const auto fd = parts_.backing.writable(); !fd) {
        // The flush of these bytes will fail in the same way; report the error now already.
        parts_.errors.record(fd.error().value);
    }
    // Everything that may allocate memory comes first: no bytes may be held of a clean block.
    parts_.lock_learn_allocation(range);
    parts_.state.reserve(range);
    if (!parts_.held.put(offset, bytes, take, parts_.context.budget)) {
        return false;
    }
    lock_note_write(range, bytes, via);
    return true;
}

void FileRequests::lock_note_write(ByteRange range, std::span<const std::byte> bytes, Via via) {
    if (via == Via::direct) {
        parts_.state.write_behind_cache(range, parts_.contract());
        parts_.held.behind_cache(range, /*zeroed=*/false);
        parts_.hashes.erase(range);
    } else {
        parts_.state.write(range, parts_.contract());
        parts_.held.cache_caught_up_by_write(range);
        parts_.hashes.written(range.begin, bytes);
    }
    parts_.losses.replaced(range);
    parts_.lock_touch_times();
    parts_.flushable = true;
    parts_.context.counters.explicit_writes.fetch_add(1, std::memory_order_relaxed);
    parts_.context.trace.record({.inode = parts_.id,
                                 .page_or_offset = range.begin.value,
                                 .length = range.size().value,
                                 .kind = trace::Kind::explicit_write});
}

Result<std::size_t> FileRequests::write_through(ByteOffset offset, std::span<const std::byte> bytes,
                                                Via via) {
    if (bytes.empty()) {
        return 0;
    }
    const base::Lock disk(parts_.disk);
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    const Result<void> put = parts_.write_growing(offset, part);
    const std::span<const std::byte> taken =
        bytes.first(put ? bytes.size() : bytes.size() - part.iov_len);
    if (taken.empty()) {
        return std::unexpected(put.error());
    }
    const ByteRange range{offset, offset + ByteCount{taken.size()}};
    const FileLock lock(parts_);
    parts_.lock_learn_allocation(range);
    parts_.state.reserve(range);
    parts_.held.put_beyond_limit(offset, taken, parts_.context.budget);
    lock_note_write(range, taken, via);
    parts_.lock_reached_disk(range);
    return taken.size();
}

Result<std::size_t> FileRequests::within_largest_size(ByteOffset offset, std::size_t length) {
    const ByteOffset end = offset + ByteCount{length};
    if (end.value <= allowed_size_.load(std::memory_order_relaxed)) {
        return length;
    }
    auto fd = parts_.backing.readable();
    if (!fd) {
        fd = parts_.backing.writable(); // a file that may be written but not read
    }
    if (!fd) {
        return std::unexpected(fd.error());
    }
    // lseek(2) checks the filesystem's limit for this file, and changes only this descriptor's
    // position.
    const auto allowed = [&](std::uint64_t size) {
        return ::lseek((*fd)->get(), static_cast<off_t>(size), SEEK_SET) >= 0;
    };
    std::size_t fits = 0;
    if (allowed(end.value)) {
        allowed_size_.store(end.value, std::memory_order_relaxed);
        fits = length;
    }
    for (std::size_t tried = std::bit_ceil(length); tried > 0; tried /= 2) {
        if (fits + tried < length && allowed(offset.value + fits + tried)) {
            fits += tried;
        }
    }
    const FileLock lock(parts_);
    parts_.lock_close_if_unused();
    if (fits == 0) {
        return base::failed(EFBIG);
    }
    return fits;
}

Result<void> FileRequests::writepage(ByteOffset offset, std::span<const std::byte> bytes) {
    return Writeback(parts_, offset, bytes).run();
}

// --- Size and attributes
// --------------------------------------------------------------------------

Result<void> FileRequests::truncate(ByteOffset size) {
    return file::truncate(parts_, size);
}

Result<void> FileRequests::allocate(int mode, ByteRange range) {
    return file::allocate(parts_, mode, range);
}

Result<ByteOffset> FileRequests::seek(ByteOffset from, int whence,
                                      const std::optional<PageSet>& stored) {
    return file::seek(parts_, from, whence, /*may_hide_stores=*/!stored || !stored->empty());
}

ByteOffset FileRequests::size() const {
    const FileLock lock(parts_);
    return parts_.state.size();
}

void FileRequests::pages_evicted() {
    const FileLock lock(parts_);
    parts_.state.pages_evicted();
    parts_.hashes.clear();
    if (parts_.handles == 0 && model::tells_one_alone(parts_.after_write_error())) {
        parts_.errors.forget();
    }
    parts_.context.trace.record({.inode = parts_.id, .kind = trace::Kind::evict});
}

void FileRequests::last_name_removed() {
    const FileLock lock(parts_);
    parts_.nameless = true;
    parts_.losses.forget();
    parts_.context.trace.record({.inode = parts_.id, .kind = trace::Kind::unlink});
}

} // namespace partialfs::file
