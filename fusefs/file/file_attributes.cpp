// FileData's part of a stat(2): what is held back laid over what the backing inode says.
#include "fusefs/file/file_data.hpp"
#include "fusefs/file/sparse_view.hpp"
#include "fusefs/trace/recorder.hpp"

#include <sys/stat.h>

namespace partialfs::file {

void FileData::touch_times() {
    const timespec now = FileTimes::now();
    if (ext3() && !inode_dirty_) {
        timespec before{};
        if (times_.held_mtime()) {
            before = *times_.held_mtime();
        } else if (struct stat status{}; fstat(path_fd_.get(), &status) == 0) {
            before = status.st_mtim;
        }
        inode_dirty_ = before.tv_sec != now.tv_sec;
    }
    times_.data_changed(now);
}

void FileData::adjust(struct stat& status) const {
    const std::scoped_lock lock(mutex_);
    if (size_ != backing_size_ || !buffers_.empty()) {
        status.st_size = static_cast<off_t>(size_.value);
    }
    times_.adjust(status);
    if (!buffers_.empty()) {
        const bool holes = static_cast<std::uint64_t>(status.st_blocks) * 512 < backing_size_.value;
        const int fd = holes ? file_.readable().value_or(-1) : -1;
        status.st_blocks += static_cast<blkcnt_t>(space_to_come(buffers_, backing_size_, fd) / 512);
    }
}

void FileData::mtime_was_set(const timespec& mtime) {
    const std::scoped_lock lock(mutex_);
    times_.release_mtime();
    if (!lock_clean()) {
        times_.hold_mtime(mtime); // what is flushed from now on must not change it
    }
}

void FileData::attributes_changed() {
    const std::scoped_lock lock(mutex_);
    inode_dirty_ = true;
    metadata_unsynced_ = true;
    flushable_ = true;
    if (struct stat status{}; fstat(path_fd_.get(), &status) == 0) {
        times_.attributes_changed(status.st_ctim);
    }
}

void FileData::last_name_removed() {
    const std::scoped_lock lock(mutex_);
    nameless_ = true;
    losses_.forget();
    context_.trace.record({.inode = id_, .kind = trace::Kind::unlink});
    if (handles_ == 0) {
        drop_everything_dirty();
        close_if_unused();
    }
}

} // namespace partialfs::file
