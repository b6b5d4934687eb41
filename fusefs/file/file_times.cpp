#include "fusefs/file/file_times.hpp"

namespace partialfs::file {

namespace {

bool before(const timespec& a, const timespec& b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

} // namespace

void FileTimes::attributes_changed(const timespec& ctime) {
    if (before(shown_ctime_, ctime)) {
        shown_ctime_ = ctime;
    }
}

void FileTimes::flushed() {
    // The finer clock: SOURCE may stamp with it.
    clock_gettime(CLOCK_REALTIME, &flushed_ctime_);
}

bool FileTimes::writes_back_old_stores(PageRange pages) {
    if (stored_before_.empty()) {
        return false;
    }
    PageSet left;
    std::uint64_t found = 0;
    for (const PageRange& range : stored_before_.ranges()) {
        if (range.last < pages.first || pages.last < range.first) {
            left.append(range);
            continue;
        }
        const PageRange here{std::max(range.first, pages.first), std::min(range.last, pages.last)};
        found += here.count();
        if (range.first < here.first) {
            left.append({range.first, model::PageIndex{here.first.value - 1}});
        }
        if (here.last < range.last) {
            left.append({model::PageIndex{here.last.value + 1}, range.last});
        }
    }
    stored_before_ = std::move(left);
    return found == pages.count();
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
