// FileData's part of a commit: the sync after the flush, and the metadata held back until then.
#include "fusefs/file/error_of.hpp"
#include "fusefs/file/file_data.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace partialfs::file {

using base::Result;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::intersect;
using model::PageIndex;

void FileData::start_sync() {
    const std::scoped_lock lock(mutex_);
    if (unsynced_.any() && file_.writable()) {
        ::sync_file_range(file_.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
        close_if_unused();
    }
}

bool FileData::needs_sync() const {
    const std::scoped_lock lock(mutex_);
    return unsynced_.any();
}

void FileData::whole_sync_begins() {
    const std::scoped_lock lock(mutex_);
    unsynced_.sync_begins();
}

void FileData::whole_sync_ended(bool done) {
    const std::scoped_lock lock(mutex_);
    if (done) {
        synced();
    } else {
        unsynced_.sync_failed();
    }
}

void FileData::synced() {
    in_flight_.clear();
    flushed_.clear();
    unsynced_.sync_succeeded();
    if (!ext3()) {
        blocks_.forget_idle();
    }
    close_if_unused();
}

Result<void> FileData::sync_data() {
    std::unique_lock lock(mutex_);
    int error = 0;
    if (unsynced_.any()) {
        const Result<int> opened = file_.writable();
        if (!opened) {
            return std::unexpected(opened.error());
        }
        const std::shared_ptr<const base::Fd> fd = file_.shared();
        unsynced_.sync_begins();
        lock.unlock();
        error = error_of([&]() -> Result<void> {
            if (context_.io.fdatasync(fd->get()) != 0) {
                return base::last_error();
            }
            return {};
        });
        lock.lock();
    }
    if (error == 0) {
        synced();
        return {};
    }
    unsynced_.sync_failed();
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
    if (const Result<int> fd = file_.writable()) {
        unsynced_.write_again(context_.io, *fd, backing_size_);
    }
    return base::failed(error);
}

Result<bool> FileData::let_metadata_through(bool durable) {
    std::shared_ptr<const base::Fd> to_sync;
    bool changed = false;
    {
        const std::scoped_lock lock(mutex_);
        failing_ = 0; // a file whose flush or sync failed does not get here
        const bool size_held = size_ != backing_size_;
        if (!size_held && !times_.held_mtime() && !(durable && metadata_unsynced_)) {
            return false;
        }
        const Result<int> fd = file_.writable();
        if (!fd) {
            return std::unexpected(fd.error());
        }
        changed = size_held || times_.held_mtime();
        if (size_held) {
            // Not over bytes that have come in since the flush.
            const ByteOffset covered =
                std::min(size_, buffers_.first_from(backing_size_).value_or(size_));
            if (covered > backing_size_) {
                if (context_.io.ftruncate(*fd, static_cast<off_t>(covered.value)) != 0) {
                    return base::last_error();
                }
                backing_size_ = covered;
                sparse_ = true;
                metadata_unsynced_ = true;
            }
        }
        if (const auto& mtime = times_.held_mtime()) {
            const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, *mtime};
            if (context_.io.futimens(*fd, times) != 0 && errno != EPERM) {
                return base::last_error();
            }
            if (buffers_.empty() && size_ == backing_size_) {
                times_.release_mtime();
            }
            times_.flushed();
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
        return base::failed(error);
    }
    return changed;
}

} // namespace partialfs::file
