// FileData's part of a look for PG_dirty pages.
#include "fusefs/file/file_data.hpp"
#include "fusefs/trace/recorder.hpp"

#include <array>
#include <vector>

namespace partialfs::file {

using base::Result;
using model::ByteOffset;
using model::ByteRange;
using model::intersect;
using model::PageIndex;

void FileData::probe_begins() {
    const std::scoped_lock lock(mutex_);
    probe_.open();
}

std::size_t FileData::learn_dirty(const PageSet& pages) {
    const std::scoped_lock lock(mutex_);
    const PageSet still_dirty = probe_.close(pages);
    std::vector<trace::Event> events;
    for (const PageRange& range : still_dirty.ranges()) {
        for (PageIndex page = range.first; page <= range.last && start_of(page) < size_; ++page) {
            if (!blocks_.generation(page)) {
                learn_allocation(range_of(page));
            }
            if (blocks_.learn_dirty(page)) {
                flushable_ = true;
                events.push_back(
                    {.inode = id_, .page_or_offset = page.value, .kind = trace::Kind::page_dirty});
            }
        }
    }
    context_.trace.record(events);
    context_.pages_found_dirty.fetch_add(events.size(), std::memory_order_relaxed);
    return events.size();
}

PageSet FileData::compare_candidates() const {
    const std::scoped_lock lock(mutex_);
    return hashes_.pages();
}

bool FileData::differs(PageIndex page, std::span<const std::byte> bytes) {
    const std::scoped_lock lock(mutex_);
    if (!hashes_.contains(page)) {
        return false;
    }
    if (blocks_.page(page).told) {
        return true; // known dirty since it was found so
    }
    if (!hashes_.knows(page)) {
        // A write(2) has changed part of the page. If stores of the page are lost, the disk does
        // not say what it was; then what is there now is the best that can be known.
        const ByteRange here = intersect(range_of(page), {ByteOffset{0}, size_});
        if (losses_.any_in(here)) {
            hashes_.set(start_of(page), bytes);
            return false;
        }
        std::array<std::byte, model::kPageSize> image{};
        if (here.empty() || !file_.readable() ||
            !read_image(here.begin, std::span(image).first(here.size().value))) {
            return false;
        }
        hashes_.set(start_of(page), image);
    }
    return !hashes_.match(page, bytes);
}

} // namespace partialfs::file
