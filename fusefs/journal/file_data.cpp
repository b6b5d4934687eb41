#include "fusefs/journal/file_data.hpp"

#include "fusefs/journal/ledger_book.hpp"
#include "fusefs/trace/recorder.hpp"

#include <fcntl.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <bit>
#include <climits>
#include <cstring>
#include <limits>
#include <utility>

namespace partialfs::journal {

using backing::Errno;
using backing::Result;
using model::BlockMask;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::PageIndex;

namespace {

/// From this size on a write(2) is not copied but its memory taken over.
constexpr std::size_t kTakeFrom = std::size_t{512} * 1024;
constexpr ByteOffset kEnd{std::numeric_limits<std::uint64_t>::max()};

bool operator<(const timespec& a, const timespec& b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

bool writes(int flags) {
    return (flags & O_ACCMODE) != O_RDONLY;
}

} // namespace

FileData::FileData(model::InodeId id, const backing::Fd& path_fd, const struct stat& status,
                   Context& context)
    : id_(id), path_fd_(path_fd), context_(context), blocks_(context.block_size),
      size_(static_cast<std::uint64_t>(status.st_size)), backing_size_(size_) {}

FileData::~FileData() {
    if (has_losses_) {
        context_.ledger.forget(id_);
    }
}

// --- Open and close -----------------------------------------------------------------------------

Result<ErrorSequence::Position> FileData::opened(int flags) {
    const std::scoped_lock lock(mutex_);
    const Result<int> fd = writes(flags) ? writable_fd() : readable_fd();
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

Result<int> FileData::readable_fd() {
    if (!backing_fd_) {
        Result<backing::Fd> fd = backing::reopen(path_fd_, O_RDONLY);
        if (!fd) {
            return std::unexpected(fd.error());
        }
        backing_fd_ = std::make_shared<const backing::Fd>(std::move(*fd));
        backing_writable_ = false;
    }
    return backing_fd_->get();
}

Result<int> FileData::writable_fd() {
    if (!backing_fd_ || !backing_writable_) {
        Result<backing::Fd> fd = backing::reopen(path_fd_, O_RDWR);
        if (!fd && fd.error().value == EACCES) {
            fd = backing::reopen(path_fd_, O_WRONLY);
        }
        if (!fd) {
            return std::unexpected(fd.error());
        }
        backing_fd_ = std::make_shared<const backing::Fd>(std::move(*fd));
        backing_writable_ = true;
    }
    return backing_fd_->get();
}

bool FileData::lock_clean() const {
    return buffers_.empty() && in_flight_.empty() && size_ == backing_size_ && !mtime_ &&
           !blocks_.next_dirty(PageIndex{0});
}

void FileData::close_if_unused() {
    if (handles_ == 0 && lock_clean() && !unsynced_ && !metadata_unsynced_) {
        backing_fd_.reset();
        backing_writable_ = false;
        partial_.clear();
    }
}

void FileData::drop_everything_dirty() {
    buffers_.clear();
    in_flight_.clear();
    flushed_.clear();
    blocks_ = model::FileBlocks(context_.block_size);
    backing_size_ = size_;
    mtime_.reset();
    unsynced_ = metadata_unsynced_ = inode_dirty_ = flushable_ = false;
    probe_spoilt_ = true;
    failing_ = 0;
}

// --- Data ---------------------------------------------------------------------------------------

Result<std::size_t> FileData::read(ByteOffset offset, std::span<std::byte> target, bool cached) {
    std::shared_ptr<const backing::Fd> fd;
    {
        const std::scoped_lock lock(mutex_);
        const Result<int> opened = readable_fd();
        if (!opened) {
            return std::unexpected(opened.error());
        }
        const ByteRange range{offset, offset + ByteCount{target.size()}};
        if (cached) {
            note_reads(range);
        }
        if (size_ != backing_size_ || buffers_.touches(range) || context_.compare_pages) {
            const std::size_t wanted =
                offset < size_ ? std::min<std::size_t>(target.size(), (size_ - offset).value) : 0;
            const std::span<std::byte> seen = target.first(wanted);
            if (const Result<void> got = read_image(offset, seen); !got) {
                return std::unexpected(got.error());
            }
            if (cached) {
                update_hash(offset, seen);
            }
            return wanted;
        }
        fd = backing_fd_;
    }
    return backing::read_all(context_.io, fd->get(), target, offset);
}

std::shared_ptr<const backing::Fd> FileData::read_source(ByteRange range, bool cached) {
    const std::scoped_lock lock(mutex_);
    if (!context_.io.may_read_directly() || size_ != backing_size_ || context_.compare_pages ||
        !readable_fd() || buffers_.touches(range)) {
        return nullptr;
    }
    if (cached) {
        note_reads(range);
    }
    return backing_fd_;
}

void FileData::note_reads(ByteRange range) {
    if (has_losses_ && !range.empty()) {
        for (PageIndex page = range.first_page(); page <= range.last_page(); ++page) {
            if (context_.ledger.has_open(id_, range_of(page), context_.block_size)) {
                reread_.insert(page);
            }
        }
    }
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
        const Result<std::size_t> got =
            backing::read_all(context_.io, backing_fd_->get(), target, offset);
        if (!got) {
            return std::unexpected(got.error());
        }
        std::ranges::fill(target.subspan(*got), std::byte{0});
    }
    buffers_.overlay(offset, target);
    return {};
}

timespec FileData::stamp_now() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

void FileData::touch_mtime() {
    const timespec now = stamp_now();
    if (ext3() && !inode_dirty_) {
        timespec before{};
        if (mtime_) {
            before = *mtime_;
        } else if (struct stat status{}; fstat(path_fd_.get(), &status) == 0) {
            before = status.st_mtim;
        }
        inode_dirty_ = before.tv_sec != now.tv_sec;
    }
    mtime_ = now;
    shown_ctime_ = now;
}

void FileData::learn_allocation(ByteRange range) {
    if (!ext3() || !backing_fd_) {
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
            const off_t data = lseek(backing_fd_->get(), start, SEEK_DATA);
            // The backing filesystem's own blocks are pages nearly everywhere.
            if (data < 0 || data >= start + static_cast<off_t>(model::kPageSize)) {
                allocated = BlockMask{};
            }
        }
        blocks_.set_allocated(page, allocated);
    }
}

Result<std::size_t> FileData::within_largest_size(ByteOffset offset, std::size_t length) {
    const ByteOffset end = offset + ByteCount{length};
    if (end.value <= allowed_size_.load(std::memory_order_relaxed)) {
        return length;
    }
    const std::scoped_lock lock(mutex_);
    const Result<int> fd = readable_fd();
    if (!fd) {
        return std::unexpected(fd.error());
    }
    // lseek(2) compares with the filesystem's limit for this file, and changes nothing else.
    const auto allowed = [&](std::uint64_t size) {
        return ::lseek(*fd, static_cast<off_t>(size), SEEK_SET) >= 0;
    };
    if (allowed(end.value)) {
        allowed_size_.store(end.value, std::memory_order_relaxed);
        return length;
    }
    std::size_t fits = 0;
    for (std::size_t tried = std::bit_ceil(length); tried > 0; tried /= 2) {
        if (fits + tried < length && allowed(offset.value + fits + tried)) {
            fits += tried;
        }
    }
    if (fits == 0) {
        return backing::failed(EFBIG);
    }
    return fits;
}

bool FileData::write(ByteOffset offset, std::span<const std::byte> bytes, const TakeMemory& take) {
    const std::scoped_lock lock(mutex_);
    const ByteRange range{offset, offset + ByteCount{bytes.size()}};
    if (range.empty()) {
        return true;
    }
    if (const Result<int> fd = writable_fd(); !fd) {
        // Seen again, and told, when the bytes are to be flushed.
        errors_.record(fd.error().value);
    }
    learn_allocation(range);
    if (bytes.size() >= kTakeFrom) {
        std::shared_ptr<Buffer> owner = take();
        if (!owner) {
            return false;
        }
        buffers_.insert(offset, std::move(owner), bytes, epoch_);
    } else if (!buffers_.insert_copy(offset, bytes, epoch_, context_.budget)) {
        return false;
    }
    for (const PageIndex page : {range.first_page(), range.last_page()}) {
        if (ext3() && intersect(range, range_of(page)) != range_of(page) &&
            blocks_.page(page).mapped.empty()) {
            partial_.insert(page);
        }
        if (context_.compare_pages && intersect(range, range_of(page)) != range_of(page)) {
            hashes_[page].reset();
        }
    }
    if (context_.compare_pages) {
        for (PageIndex page = range.first_page(); page <= range.last_page(); ++page) {
            if (intersect(range, range_of(page)) == range_of(page)) {
                update_hash(start_of(page),
                            bytes.subspan((start_of(page) - offset).value, model::kPageSize));
            }
        }
    }
    if (blocks_.explicit_write(range)) {
        inode_dirty_ = true;
    }
    touch_mtime();
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

// --- Size and space -----------------------------------------------------------------------------

ByteOffset FileData::size() const {
    const std::scoped_lock lock(mutex_);
    return size_;
}

Result<void> FileData::truncate(ByteOffset size) {
    const std::scoped_lock lock(mutex_);
    const Result<int> fd = writable_fd();
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
            return backing::last_error();
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
        std::erase_if(hashes_, [&](const auto& hash) {
            return start_of(hash.first).value + model::kPageSize > size.value;
        });
        partial_.erase(partial_.lower_bound(PageIndex{page_of(size).value + 1}), partial_.end());
        context_.ledger.truncate(id_, size);
    } else if (size > size_) {
        sparse_ = true;
    }
    size_ = size;
    inode_dirty_ = true;
    flushable_ = true;
    probe_spoilt_ = true;
    if (!on_disk || mtime_) {
        touch_mtime();
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
        if (context_.io.ftruncate(backing_fd_->get(), static_cast<off_t>(size.value)) != 0) {
            return backing::last_error();
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
        return backing::failed(EOPNOTSUPP);
    }
    const Result<int> fd = writable_fd();
    if (!fd) {
        return std::unexpected(fd.error());
    }
    const auto offset = static_cast<off_t>(range.begin.value);
    const auto length = static_cast<off_t>(range.size().value);
    if (context_.io.fallocate(*fd, mode | FALLOC_FL_KEEP_SIZE, offset, length) != 0) {
        return backing::last_error();
    }
    if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0) {
        buffers_.erase(range);
        in_flight_.erase(range);
        blocks_.punch(range);
        sparse_ = true;
        probe_spoilt_ = true;
        for (PageIndex page = range.first_page();
             context_.compare_pages && page <= range.last_page(); ++page) {
            hashes_.erase(page);
        }
        context_.ledger.drop(id_, range, context_.block_size);
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
    unsynced_ = true;
    metadata_unsynced_ = true;
    inode_dirty_ = true;
    flushable_ = true;
    if (mtime_) {
        touch_mtime();
    }
    return {};
}

Result<ByteOffset> FileData::seek(ByteOffset from, int whence) {
    const std::scoped_lock lock(mutex_);
    if (from >= size_) {
        return backing::failed(ENXIO);
    }
    const Result<int> fd = readable_fd();
    if (!fd) {
        return std::unexpected(fd.error());
    }
    // Bounds by the two sources of data: the backing file and the buffers.
    const auto backing_next = [&](ByteOffset at, int what) -> Result<ByteOffset> {
        const off_t found = lseek(*fd, static_cast<off_t>(at.value), what);
        if (found >= 0) {
            return ByteOffset{static_cast<std::uint64_t>(found)};
        }
        if (errno == ENXIO) {
            return what == SEEK_HOLE ? at : size_;
        }
        return backing::last_error();
    };
    if (whence == SEEK_DATA) {
        const Result<ByteOffset> on_disk = backing_next(from, SEEK_DATA);
        if (!on_disk) {
            return on_disk;
        }
        const ByteOffset found = std::min(*on_disk, buffers_.first_from(from).value_or(size_));
        if (found >= size_) {
            return backing::failed(ENXIO);
        }
        return found;
    }
    ByteOffset at = from;
    while (at < size_) {
        const Result<ByteOffset> hole = backing_next(at, SEEK_HOLE);
        if (!hole) {
            return hole;
        }
        if (*hole > at) {
            at = *hole;
            continue;
        }
        // A hole on disk: buffered bytes make it data up to where they end.
        if (buffers_.first_from(at) != at) {
            return std::min(at, size_);
        }
        at = buffers_.end_of_run(at);
    }
    return size_;
}

// --- Attributes ---------------------------------------------------------------------------------

void FileData::adjust(struct stat& status) const {
    const std::scoped_lock lock(mutex_);
    if (size_ != backing_size_ || !buffers_.empty()) {
        status.st_size = static_cast<off_t>(size_.value);
    }
    if (!(flushed_ctime_ < status.st_ctim)) {
        status.st_ctim = shown_ctime_;
    }
    if (status.st_ctim < shown_ctime_) {
        status.st_ctim = shown_ctime_;
    }
    if (mtime_) {
        status.st_mtim = *mtime_;
    }
    if (buffers_.empty()) {
        return;
    }
    // Bytes that will get a place on disk, counted in whole pages as delayed allocation does.
    const auto unit = static_cast<std::uint64_t>(model::kPageSize);
    std::uint64_t reserved = 0;
    std::uint64_t counted_to = 0;
    const bool holes = static_cast<std::uint64_t>(status.st_blocks) * 512 < backing_size_.value;
    buffers_.for_each({ByteOffset{0}, kEnd}, [&](ByteOffset at, std::span<const std::byte> part) {
        std::uint64_t begin = at.value / unit * unit;
        const std::uint64_t end = (at.value + part.size() + unit - 1) / unit * unit;
        begin = std::max(begin, counted_to);
        if (!holes) {
            begin = std::max(begin, (backing_size_.value + unit - 1) / unit * unit);
        }
        while (begin < end) {
            if (begin < backing_size_.value && backing_fd_) {
                const off_t data = lseek(backing_fd_->get(), static_cast<off_t>(begin), SEEK_DATA);
                const std::uint64_t hole_end =
                    data < 0 ? end : std::min(end, static_cast<std::uint64_t>(data) / unit * unit);
                reserved += hole_end - std::min(begin, hole_end);
                begin = std::max(begin, hole_end);
                if (begin < end) {
                    const off_t hole =
                        lseek(backing_fd_->get(), static_cast<off_t>(begin), SEEK_HOLE);
                    const auto after = hole < 0 ? end : static_cast<std::uint64_t>(hole);
                    begin = std::max(begin + unit, (after + unit - 1) / unit * unit);
                }
            } else {
                reserved += end - begin;
                begin = end;
            }
        }
        counted_to = std::max(counted_to, end);
    });
    status.st_blocks += static_cast<blkcnt_t>(reserved / 512);
}

void FileData::mtime_was_set(const timespec&) {
    const std::scoped_lock lock(mutex_);
    mtime_.reset();
    // What is flushed from now on must not change it again.
    struct stat status{};
    if (!lock_clean() && fstat(path_fd_.get(), &status) == 0) {
        mtime_ = status.st_mtim;
    }
}

void FileData::attributes_changed() {
    const std::scoped_lock lock(mutex_);
    inode_dirty_ = true;
    metadata_unsynced_ = true;
    flushable_ = true;
    if (struct stat status{};
        fstat(path_fd_.get(), &status) == 0 && shown_ctime_ < status.st_ctim) {
        shown_ctime_ = status.st_ctim;
    }
}

void FileData::last_name_removed() {
    const std::scoped_lock lock(mutex_);
    nameless_ = true;
    context_.ledger.forget(id_);
    has_losses_ = false;
    context_.trace.record({.inode = id_, .kind = trace::Kind::unlink});
    if (handles_ == 0) {
        drop_everything_dirty();
        close_if_unused();
    }
}

// --- For the journal ----------------------------------------------------------------------------

bool FileData::keep_enlisted() {
    const std::scoped_lock lock(mutex_);
    has_losses_ = has_losses_ && context_.ledger.has_open(id_);
    if (mappable_handles_ > 0 || !lock_clean() || unsynced_ || has_losses_) {
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

bool FileData::has_work() const {
    const std::scoped_lock lock(mutex_);
    return unsynced_ || size_ != backing_size_ || mtime_ ||
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
    context_.write_errors.fetch_add(1, std::memory_order_relaxed);
    context_.trace.record({.inode = id_, .error = error, .kind = trace::Kind::write_error});
}

FileData::Gauge FileData::gauge() const {
    const std::scoped_lock lock(mutex_);
    return {blocks_.entries(), buffers_.extents() + in_flight_.extents(), !lock_clean()};
}

} // namespace partialfs::journal
