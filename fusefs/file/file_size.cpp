// FileData's size and the space that it takes: truncate, fallocate, lseek.
#include "fusefs/file/file_data.hpp"
#include "fusefs/file/sparse_view.hpp"
#include "fusefs/trace/recorder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <limits>

namespace partialfs::file {

using base::Result;
using model::BlockMask;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::PageIndex;

namespace {

constexpr ByteOffset kEnd{std::numeric_limits<std::uint64_t>::max()};

} // namespace

ByteOffset FileData::size() const {
    const std::scoped_lock lock(mutex_);
    return size_;
}

Result<void> FileData::truncate(ByteOffset size) {
    const std::scoped_lock lock(mutex_);
    const Result<int> fd = file_.writable();
    if (!fd) {
        return std::unexpected(fd.error());
    }
    const bool growth_pending = size_ != backing_size_;
    const bool on_disk = size < size_ ? backing_size_ >= size : !growth_pending;
    const bool straddling_allocated =
        ext3() && size < size_ && size.value % context_.block_size.bytes() != 0;
    if (straddling_allocated) {
        learn_allocation({size, ByteOffset{size.value + 1}});
    }
    if (on_disk) {
        if (context_.io.ftruncate(*fd, static_cast<off_t>(size.value)) != 0) {
            return base::last_error();
        }
        backing_size_ = size;
        metadata_unsynced_ = true;
    }
    if (size < size_) {
        const ByteRange gone{size, kEnd};
        buffers_.erase(gone);
        in_flight_.erase(gone);
        const BlockMask straddling =
            context_.block_size.touched(page_of(size), {size, ByteOffset{size.value + 1}});
        blocks_.truncate(size, straddling_allocated &&
                                   !(blocks_.page(page_of(size)).allocated & straddling).empty());
        hashes_.erase(gone);
        partial_.erase(partial_.lower_bound(PageIndex{page_of(size).value + 1}), partial_.end());
        losses_.truncate(size);
    } else if (size > size_) {
        sparse_ = true;
    }
    size_ = size;
    inode_dirty_ = true;
    flushable_ = true;
    probe_.spoil();
    if (!on_disk || times_.held_mtime()) {
        touch_times();
    }
    context_.trace.record(
        {.inode = id_, .page_or_offset = size.value, .kind = trace::Kind::truncate});
    close_if_unused();
    return {};
}

Result<void> FileData::grow(ByteOffset size) {
    if (size <= size_) {
        return {};
    }
    if (size_ == backing_size_) {
        if (context_.io.ftruncate(file_.get(), static_cast<off_t>(size.value)) != 0) {
            return base::last_error();
        }
        backing_size_ = size;
    }
    size_ = size;
    sparse_ = true;
    return {};
}

Result<void> FileData::allocate(int mode, ByteRange range) {
    const std::scoped_lock lock(mutex_);
    const int known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
    if ((mode & ~known) != 0) {
        return base::failed(EOPNOTSUPP);
    }
    const Result<int> fd = file_.writable();
    if (!fd) {
        return std::unexpected(fd.error());
    }
    const auto offset = static_cast<off_t>(range.begin.value);
    const auto length = static_cast<off_t>(range.size().value);
    if (context_.io.fallocate(*fd, mode | FALLOC_FL_KEEP_SIZE, offset, length) != 0) {
        return base::last_error();
    }
    if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0) {
        buffers_.erase(range);
        in_flight_.erase(range);
        blocks_.punch(range);
        sparse_ = true;
        probe_.spoil();
        hashes_.erase(range);
        losses_.drop(range);
        context_.trace.record({.inode = id_,
                               .page_or_offset = range.begin.value,
                               .length = range.size().value,
                               .kind = trace::Kind::punch});
    }
    if ((mode & FALLOC_FL_KEEP_SIZE) == 0) {
        if (const Result<void> grown = grow(range.end); !grown) {
            return grown;
        }
    }
    unsynced_.add_change();
    metadata_unsynced_ = true;
    inode_dirty_ = true;
    flushable_ = true;
    if (times_.held_mtime()) {
        touch_times();
    }
    return {};
}

Result<ByteOffset> FileData::seek(ByteOffset from, int whence) {
    const std::scoped_lock lock(mutex_);
    if (from >= size_) {
        return base::failed(ENXIO);
    }
    const Result<int> fd = file_.readable();
    if (!fd) {
        return std::unexpected(fd.error());
    }
    return whence == SEEK_DATA ? seek_data(*fd, buffers_, from, size_)
                               : seek_hole(*fd, buffers_, from, size_);
}

Result<std::size_t> FileData::within_largest_size(ByteOffset offset, std::size_t length) {
    const ByteOffset end = offset + ByteCount{length};
    if (end.value <= allowed_size_.load(std::memory_order_relaxed)) {
        return length;
    }
    const std::scoped_lock lock(mutex_);
    Result<int> fd = file_.readable();
    if (!fd) {
        fd = file_.writable(); // a file that may be written, not read
    }
    if (!fd) {
        return std::unexpected(fd.error());
    }
    // lseek(2) compares with the filesystem's limit for this file, and changes nothing else.
    const auto allowed = [&](std::uint64_t size) {
        return ::lseek(*fd, static_cast<off_t>(size), SEEK_SET) >= 0;
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
    close_if_unused();
    if (fits == 0) {
        return base::failed(EFBIG);
    }
    return fits;
}

} // namespace partialfs::file
