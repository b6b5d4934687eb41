// FileData's part of a stat(2): what is held back laid over what the backing inode says.
#include "fusefs/journal/file_data.hpp"
#include "fusefs/journal/ledger_book.hpp"
#include "fusefs/trace/recorder.hpp"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

namespace partialfs::journal {

using model::ByteOffset;

namespace {

constexpr ByteOffset kEnd{std::numeric_limits<std::uint64_t>::max()};

bool operator<(const timespec& a, const timespec& b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

} // namespace

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
            if (begin < backing_size_.value && file_.readable()) {
                const off_t data = lseek(file_.get(), static_cast<off_t>(begin), SEEK_DATA);
                const std::uint64_t hole_end =
                    data < 0 ? end : std::min(end, static_cast<std::uint64_t>(data) / unit * unit);
                reserved += hole_end - std::min(begin, hole_end);
                begin = std::max(begin, hole_end);
                if (begin < end) {
                    const off_t hole = lseek(file_.get(), static_cast<off_t>(begin), SEEK_HOLE);
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

} // namespace partialfs::journal
