#include "fusefs/file/file_data.hpp"

#include "fusefs/trace/recorder.hpp"

#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace partialfs::file {

using base::Errno;
using base::Result;
using model::BlockMask;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::PageIndex;

namespace {

/// From this size on a write(2) is not copied but its memory taken over.
constexpr std::size_t kTakeFrom = std::size_t{512} * 1024;

bool writes(int flags) {
    return (flags & O_ACCMODE) != O_RDONLY;
}

} // namespace

FileData::FileData(model::InodeId id, const base::Fd& path_fd, const struct stat& status,
                   Context& context)
    : id_(id), path_fd_(path_fd), device_(status.st_dev), context_(context),
      file_(path_fd, context.reopens_any_file), blocks_(context.block_size),
      size_(static_cast<std::uint64_t>(status.st_size)), backing_size_(size_),
      losses_(id, file_, context), hashes_(context.compare_pages) {}

// --- Open and close -----------------------------------------------------------------------------

Result<ErrorSequence::Position> FileData::opened(int flags, base::Fd created) {
    const std::scoped_lock lock(mutex_);
    file_.adopt(std::move(created));
    const Result<int> fd = writes(flags) ? file_.writable() : file_.readable();
    if (!fd) {
        return std::unexpected(fd.error());
    }
    if (handles_ == 0 && lock_clean()) {
        // Nobody but the daemon should change SOURCE; if somebody did, follow.
        struct stat status{};
        if (fstat(*fd, &status) == 0) {
            size_ = backing_size_ = ByteOffset{static_cast<std::uint64_t>(status.st_size)};
            sparse_ = status.st_blocks * 512 < status.st_size;
        }
    }
    ++handles_;
    if ((flags & O_ACCMODE) == O_RDWR) {
        ++mappable_handles_;
    }
    if ((flags & O_CREAT) != 0) {
        inode_dirty_ = true;
    }
    return errors_.sample();
}

void FileData::released(int flags) {
    const std::scoped_lock lock(mutex_);
    --handles_;
    if ((flags & O_ACCMODE) == O_RDWR) {
        --mappable_handles_;
    }
    if (nameless_ && handles_ == 0) {
        drop_everything_dirty();
    }
    close_if_unused();
}

int FileData::check_error(ErrorSequence::Position& told) {
    const std::scoped_lock lock(mutex_);
    return errors_.check_and_advance(told);
}

bool FileData::lock_clean() const {
    return buffers_.empty() && in_flight_.empty() && size_ == backing_size_ &&
           !times_.held_mtime() && !blocks_.next_dirty(PageIndex{0});
}

void FileData::close_if_unused() {
    if (handles_ != 0) {
        return;
    }
    if (lock_clean() && !unsynced_.any() && !metadata_unsynced_) {
        file_.close();
        partial_.clear();
    } else {
        file_.close_for_now();
    }
}

void FileData::drop_everything_dirty() {
    buffers_.clear();
    in_flight_.clear();
    flushed_.clear();
    blocks_ = model::FileBlocks(context_.block_size);
    backing_size_ = size_;
    times_.release_mtime();
    unsynced_.clear();
    metadata_unsynced_ = inode_dirty_ = flushable_ = false;
    probe_.spoil();
    failing_ = 0;
}

// --- Data ---------------------------------------------------------------------------------------

Result<std::size_t> FileData::read(ByteOffset offset, std::span<std::byte> target, bool cached) {
    std::shared_ptr<const base::Fd> fd;
    {
        const std::scoped_lock lock(mutex_);
        const Result<int> opened = file_.readable();
        if (!opened) {
            return std::unexpected(opened.error());
        }
        const ByteRange range{offset, offset + ByteCount{target.size()}};
        if (cached) {
            note_read(range);
        }
        if (size_ != backing_size_ || buffers_.touches(range) || hashes_.wanted()) {
            const std::size_t wanted =
                offset < size_ ? std::min<std::size_t>(target.size(), (size_ - offset).value) : 0;
            const std::span<std::byte> seen = target.first(wanted);
            if (const Result<void> got = read_image(offset, seen); !got) {
                return std::unexpected(got.error());
            }
            if (cached) {
                hashes_.set(offset, seen);
            }
            return wanted;
        }
        fd = file_.shared();
    }
    return backing::read_all(context_.io, fd->get(), target, offset);
}

std::shared_ptr<const base::Fd> FileData::read_source(ByteRange range, bool cached) {
    const std::scoped_lock lock(mutex_);
    if (!context_.io.may_read_directly() || size_ != backing_size_ || hashes_.wanted() ||
        !file_.readable() || buffers_.touches(range)) {
        return nullptr;
    }
    if (cached) {
        note_read(range);
    }
    return file_.shared();
}

void FileData::note_read(ByteRange range) {
    context_.trace.record({.inode = id_,
                           .page_or_offset = range.begin.value,
                           .length = range.size().value,
                           .kind = trace::Kind::page_read});
    losses_.pages_read(range);
    if (!ext3() || range.empty()) {
        return;
    }
    for (auto page = blocks_.next_entry(range.first_page()); page && *page <= range.last_page();
         page = blocks_.next_entry(PageIndex{page->value + 1})) {
        if (partial_.erase(*page) == 0 && blocks_.page(*page).dirty.empty()) {
            blocks_.evict(*page);
        }
    }
}

void FileData::pages_evicted() {
    const std::scoped_lock lock(mutex_);
    for (auto page = blocks_.next_entry(PageIndex{0}); page;
         page = blocks_.next_entry(PageIndex{page->value + 1})) {
        if (blocks_.page(*page).dirty.empty()) {
            blocks_.evict(*page);
        }
    }
    partial_.clear();
    hashes_.clear();
    context_.trace.record({.inode = id_, .kind = trace::Kind::evict});
}

Result<void> FileData::read_image(ByteOffset offset, std::span<std::byte> target) {
    if (!buffers_.covers({offset, offset + ByteCount{target.size()}})) {
        if (const Result<void> got = file_.read(context_.io, offset, target); !got) {
            return got;
        }
    }
    buffers_.overlay(offset, target);
    return {};
}

void FileData::learn_allocation(ByteRange range) {
    if (!ext3() || !file_.readable()) {
        return;
    }
    const ByteRange on_disk = intersect(range, {ByteOffset{0}, backing_size_});
    if (on_disk.empty()) {
        return;
    }
    for (PageIndex page = range.first_page(); page <= on_disk.last_page(); ++page) {
        if (blocks_.generation(page)) {
            continue;
        }
        BlockMask allocated = context_.block_size.within(page, backing_size_);
        if (sparse_) {
            const auto start = static_cast<off_t>(start_of(page).value);
            const off_t data = lseek(file_.get(), start, SEEK_DATA);
            // The backing filesystem's own blocks are pages nearly everywhere.
            if (data < 0 || data >= start + static_cast<off_t>(model::kPageSize)) {
                allocated = BlockMask{};
            }
        }
        blocks_.set_allocated(page, allocated);
    }
}

bool FileData::write(ByteOffset offset, std::span<const std::byte> bytes, const TakeMemory& take) {
    const std::scoped_lock lock(mutex_);
    const ByteRange range{offset, offset + ByteCount{bytes.size()}};
    if (range.empty()) {
        return true;
    }
    if (const Result<int> fd = file_.writable(); !fd) {
        // Seen again, and told, when the bytes are to be flushed.
        errors_.record(fd.error().value);
    }
    learn_allocation(range);
    // All that may want memory comes first: bytes must not be buffered in blocks that are clean.
    blocks_.reserve(range);
    for (const PageIndex page : {range.first_page(), range.last_page()}) {
        if (ext3() && intersect(range, range_of(page)) != range_of(page) &&
            blocks_.page(page).mapped.empty()) {
            partial_.insert(page);
        }
    }
    hashes_.written(offset, bytes);
    if (bytes.size() >= kTakeFrom) {
        std::shared_ptr<Buffer> owner = take();
        if (!owner) {
            return false;
        }
        buffers_.insert(offset, std::move(owner), bytes, epoch_);
    } else if (!buffers_.insert_copy(offset, bytes, epoch_, context_.budget)) {
        return false;
    }
    if (blocks_.explicit_write(range)) {
        inode_dirty_ = true;
    }
    touch_times();
    if (range.end > size_) {
        size_ = range.end;
        inode_dirty_ = true;
    }
    flushable_ = true;
    context_.explicit_writes.fetch_add(1, std::memory_order_relaxed);
    context_.trace.record({.inode = id_,
                           .page_or_offset = offset.value,
                           .length = bytes.size(),
                           .kind = trace::Kind::explicit_write});
    return true;
}

// --- For the journal ----------------------------------------------------------------------------

bool FileData::keep_enlisted() {
    const std::scoped_lock lock(mutex_);
    if (losses_.still_any() || mappable_handles_ > 0 || !lock_clean() || unsynced_.any()) {
        return true;
    }
    enlisted_.store(false);
    close_if_unused();
    return false;
}

bool FileData::may_be_mapped() const {
    const std::scoped_lock lock(mutex_);
    return mappable_handles_ > 0;
}

bool FileData::needs_kernel() const {
    const std::scoped_lock lock(mutex_);
    if (mappable_handles_ > 0) {
        return true;
    }
    for (auto page = blocks_.next_dirty(PageIndex{0}); page;
         page = blocks_.next_dirty(PageIndex{page->value + 1})) {
        if (blocks_.page(*page).told) {
            return true;
        }
    }
    return false;
}

bool FileData::has_work() const {
    const std::scoped_lock lock(mutex_);
    return unsynced_.any() || size_ != backing_size_ || times_.held_mtime() ||
           (flushable_ &&
            blocks_.next_flushable(PageIndex{0}, context_.policy.load(), size_).has_value());
}

bool FileData::needs_flush() const {
    const std::scoped_lock lock(mutex_);
    return mappable_handles_ > 0 || !lock_clean();
}

bool FileData::take_inode_dirty() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(inode_dirty_, false);
}

void FileData::report_failure(int error, bool asked) {
    const std::scoped_lock lock(mutex_);
    if (asked || failing_ != error) {
        errors_.record(error);
    }
    failing_ = error;
    flushable_ = true; // and tried again
    context_.write_errors.fetch_add(1, std::memory_order_relaxed);
    context_.trace.record({.inode = id_, .error = error, .kind = trace::Kind::write_error});
}

FileData::Gauge FileData::gauge() const {
    const std::scoped_lock lock(mutex_);
    return {blocks_.entries(), buffers_.extents() + in_flight_.extents(), !lock_clean()};
}

} // namespace partialfs::file
