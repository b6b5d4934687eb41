// FileData's part of a commit: the sync after the flush, and the metadata held back until then.
#include "fusefs/journal/file_data.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace partialfs::journal {

using backing::Result;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::intersect;
using model::PageIndex;

void FileData::start_sync() {
    const std::scoped_lock lock(mutex_);
    if (unsynced_ && file_.writable()) {
        ::sync_file_range(file_.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
        close_if_unused();
    }
}

void FileData::written_unsynced(ByteRange range) {
    // Neighbours are joined; beyond this many, what lies between two is taken with them: writing it
    // again does no harm.
    constexpr std::size_t kMost = 65536;
    unsynced_ = true;
    if (!unsynced_ranges_.empty() && unsynced_ranges_.back().end == range.begin) {
        unsynced_ranges_.back().end = range.end;
    } else if (unsynced_ranges_.size() < kMost) {
        unsynced_ranges_.push_back(range);
    } else {
        ByteRange& last = unsynced_ranges_.back();
        last = {std::min(last.begin, range.begin), std::max(last.end, range.end)};
    }
}

void FileData::rewrite_unsynced() {
    const Result<int> fd = file_.writable();
    std::vector<std::byte> copy(std::size_t{256} * 1024);
    for (const ByteRange& range : unsynced_ranges_) {
        const ByteRange left = intersect(range, {ByteOffset{0}, backing_size_});
        for (ByteOffset at = left.begin; fd && at < left.end;) {
            const std::span<std::byte> part =
                std::span(copy).first(std::min<std::size_t>(copy.size(), (left.end - at).value));
            const Result<std::size_t> got = backing::read_all(context_.io, *fd, part, at);
            if (!got || *got == 0) {
                break;
            }
            iovec iov{part.data(), *got};
            // A failure here changes nothing: the next sync fails as well, and tries again.
            if (!backing::write_all(context_.io, *fd, {&iov, 1}, at)) {
                break;
            }
            at = at + ByteCount{*got};
        }
    }
}

Result<void> FileData::sync_data() {
    std::unique_lock lock(mutex_);
    int error = 0;
    if (unsynced_) {
        const Result<int> opened = file_.writable();
        if (!opened) {
            return std::unexpected(opened.error());
        }
        const std::shared_ptr<const backing::Fd> fd = file_.shared();
        unsynced_ = false;
        lock.unlock();
        error = context_.io.fdatasync(fd->get()) == 0 ? 0 : errno;
        lock.lock();
    }
    if (error == 0) {
        in_flight_.clear();
        flushed_.clear();
        failing_ = 0;
        // What was written while the system call ran has put its range here again.
        if (!unsynced_) {
            unsynced_ranges_.clear();
        }
        if (!ext3()) {
            blocks_.forget_idle();
        }
        close_if_unused();
        return {};
    }
    unsynced_ = true;
    flushable_ = true;
    for (const FlushedPage& page : flushed_) {
        const auto generation = blocks_.generation(page.page).value_or(model::Generation{0});
        if (page.told && generation == page.generation) {
            blocks_.flush_failed(page.page, page.blocks); // the kernel still has the bytes
        }
    }
    in_flight_.for_each(
        {ByteOffset{0}, ByteOffset{std::numeric_limits<std::uint64_t>::max()}},
        [&](ByteOffset at, std::span<const std::byte> part) {
            const ByteRange range{at, at + ByteCount{part.size()}};
            for (PageIndex page = range.first_page(); page <= range.last_page(); ++page) {
                blocks_.flush_failed(page, context_.block_size.touched(page, range));
            }
        });
    buffers_.take_missing(in_flight_);
    flushed_.clear();
    rewrite_unsynced();
    return backing::failed(error);
}

Result<bool> FileData::let_metadata_through(bool durable) {
    std::shared_ptr<const backing::Fd> to_sync;
    bool changed = false;
    {
        const std::scoped_lock lock(mutex_);
        const bool size_held = size_ != backing_size_;
        if (!size_held && !mtime_ && !(durable && metadata_unsynced_)) {
            return false;
        }
        const Result<int> fd = file_.writable();
        if (!fd) {
            return std::unexpected(fd.error());
        }
        changed = size_held || mtime_;
        if (size_held) {
            // Not over bytes that have come in since the flush.
            const ByteOffset covered =
                std::min(size_, buffers_.first_from(backing_size_).value_or(size_));
            if (covered > backing_size_) {
                if (context_.io.ftruncate(*fd, static_cast<off_t>(covered.value)) != 0) {
                    return backing::last_error();
                }
                backing_size_ = covered;
                sparse_ = true;
                metadata_unsynced_ = true;
            }
        }
        if (mtime_) {
            const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, *mtime_};
            if (context_.io.futimens(*fd, times) != 0 && errno != EPERM) {
                return backing::last_error();
            }
            if (buffers_.empty() && size_ == backing_size_) {
                mtime_.reset();
            }
            flushed_ctime_ = stamp_now();
        }
        if (durable && metadata_unsynced_) {
            metadata_unsynced_ = false;
            to_sync = file_.shared();
        }
        close_if_unused();
    }
    if (to_sync && context_.io.fsync(to_sync->get()) != 0) {
        const int error = errno;
        const std::scoped_lock lock(mutex_);
        metadata_unsynced_ = true;
        return backing::failed(error);
    }
    return changed;
}

} // namespace partialfs::journal
