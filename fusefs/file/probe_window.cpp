#include "fusefs/file/probe_window.hpp"

#include <algorithm>
#include <utility>

namespace partialfs::file {

using model::PageIndex;

namespace {

/// The same pages as ascending ranges that do not overlap.
std::vector<PageRange> joined(std::vector<PageRange> ranges) {
    std::ranges::sort(ranges, {}, &PageRange::first);
    std::vector<PageRange> apart;
    for (const PageRange& range : ranges) {
        if (!apart.empty() && range.first <= apart.back().last) {
            apart.back().last = std::max(apart.back().last, range.last);
        } else {
            apart.push_back(range);
        }
    }
    return apart;
}

} // namespace

void ProbeWindow::open() {
    open_ = true;
    spoilt_ = false;
    written_back_.clear();
}

void ProbeWindow::written_back(PageRange pages) {
    if (open_) {
        written_back_.push_back(pages);
    }
}

PageSet ProbeWindow::close(const PageSet& found) {
    open_ = false;
    PageSet left;
    if (spoilt_) {
        return left;
    }
    const std::vector<PageRange> gone = joined(std::exchange(written_back_, {}));
    auto next = gone.begin();
    for (const PageRange& range : found.ranges()) {
        PageIndex page = range.first;
        for (; next != gone.end() && next->first <= range.last; ++next) {
            if (page < next->first) {
                left.append({page, PageIndex{next->first.value - 1}});
            }
            page = std::max(page, PageIndex{next->last.value + 1});
            if (next->last > range.last) {
                break; // `next` may reach into the ranges of `found` that follow
            }
        }
        if (page <= range.last) {
            left.append({page, range.last});
        }
    }
    return left;
}

} // namespace partialfs::file
