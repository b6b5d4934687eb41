#include "fusefs/file/file_times.hpp"

#include <utility>

namespace partialfs::file {

using model::PageIndex;

namespace {

bool before(const timespec& a, const timespec& b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

/// Removes one page from a set. Whether it was there.
bool take(PageSet& pages, PageIndex page) {
    if (!pages.contains(page)) {
        return false;
    }
    PageSet left;
    for (const PageRange& range : pages.ranges()) {
        if (page < range.first || range.last < page) {
            left.append(range);
            continue;
        }
        if (range.first < page) {
            left.append({range.first, PageIndex{page.value - 1}});
        }
        if (page < range.last) {
            left.append({PageIndex{page.value + 1}, range.last});
        }
    }
    pages = std::move(left);
    return true;
}

} // namespace

void FileTimes::attributes_changed(const timespec& ctime) {
    if (before(shown_ctime_, ctime)) {
        shown_ctime_ = ctime;
    }
}

void FileTimes::flushed() {
    // Not the coarse clock: SOURCE may stamp with the finer one.
    clock_gettime(CLOCK_REALTIME, &flushed_ctime_);
}

bool FileTimes::writes_back_old_stores(PageRange pages) {
    if (stored_before_.empty() && on_their_way_.empty()) {
        return false;
    }
    bool all = true;
    for (PageIndex page = pages.first; page <= pages.last; ++page) {
        all = (take(on_their_way_, page) || take(stored_before_, page)) && all;
    }
    return all;
}

void FileTimes::adjust(struct stat& status, bool flushing) {
    const bool is_of_a_flush = flushing || !before(flushed_ctime_, status.st_ctim);
    if (is_of_a_flush || before(status.st_ctim, shown_ctime_)) {
        status.st_ctim = shown_ctime_;
    }
    shown_ctime_ = status.st_ctim;
    if (mtime_) {
        status.st_mtim = *mtime_;
    }
}

} // namespace partialfs::file
