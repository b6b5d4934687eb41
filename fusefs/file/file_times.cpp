#include "fusefs/file/file_times.hpp"

namespace partialfs::file {

namespace {

bool before(const timespec& a, const timespec& b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

} // namespace

timespec FileTimes::now() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

void FileTimes::attributes_changed(const timespec& ctime) {
    if (before(shown_ctime_, ctime)) {
        shown_ctime_ = ctime;
    }
}

void FileTimes::adjust(struct stat& status) const {
    const bool is_of_a_flush = !before(flushed_ctime_, status.st_ctim);
    if (is_of_a_flush || before(status.st_ctim, shown_ctime_)) {
        status.st_ctim = shown_ctime_;
    }
    if (mtime_) {
        status.st_mtim = *mtime_;
    }
}

} // namespace partialfs::file
