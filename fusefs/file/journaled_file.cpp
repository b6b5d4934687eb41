#include "fusefs/file/journaled_file.hpp"

#include "fusefs/trace/recorder.hpp"

#include <array>
#include <vector>

namespace partialfs::file {

using model::ByteOffset;
using model::ByteRange;
using model::FlushPolicy;
using model::InodeDirty;
using model::intersect;
using model::PageIndex;

JournaledFile::Keep JournaledFile::keep() {
    const FileLock lock(parts_);
    if (parts_.dead) {
        return {.joined = false, .known = false};
    }
    const bool losses = parts_.losses.still_any();
    return {.joined = changes_coming_ > 0 || !parts_.lock_clean() || parts_.held.needs_sync(),
            .known = losses || parts_.mappable_handles > 0};
}

bool JournaledFile::may_be_mapped() const {
    const FileLock lock(parts_);
    return parts_.mappable_handles > 0;
}

bool JournaledFile::needs_kernel() const {
    const FileLock lock(parts_);
    if (parts_.policy() == FlushPolicy::writeback) {
        return false;
    }
    if (parts_.mappable_handles > 0) {
        return true;
    }
    const model::FileBlocks& blocks = parts_.state.blocks();
    for (auto page = blocks.next_dirty(PageIndex{0}); page;
         page = blocks.next_dirty(PageIndex{page->value + 1})) {
        if (blocks.page(*page).told) {
            return true;
        }
    }
    return false;
}

bool JournaledFile::needs_flush() const {
    const FileLock lock(parts_);
    return parts_.mappable_handles > 0 || !parts_.lock_clean();
}

bool JournaledFile::needs_sync() const {
    const FileLock lock(parts_);
    return parts_.held.needs_sync();
}

void JournaledFile::start_sync() {
    if (needs_sync()) {
        parts_.backing.begin_sync();
        const FileLock lock(parts_);
        parts_.lock_close_if_unused();
    }
}

bool JournaledFile::has_work() const {
    const FileLock lock(parts_);
    return parts_.held.needs_sync() || parts_.state.size() != parts_.state.backing_size() ||
           parts_.times.held_mtime() || !parts_.held.empty() ||
           (parts_.flushable &&
            parts_.state.next_flushable(PageIndex{0}, parts_.policy()).has_value());
}

bool JournaledFile::take_inode_dirty() {
    const FileLock lock(parts_);
    return parts_.state.take_inode_dirty() != InodeDirty::no;
}

void JournaledFile::report_failure(int error, bool asked) {
    const FileLock lock(parts_);
    const bool repeats = model::tries_again(parts_.after_write_error(), error);
    if (asked || !repeats || parts_.failing != error) {
        parts_.errors.record(error);
    }
    parts_.failing = repeats ? error : 0;
    parts_.flushable = true; // so that the next commit tries again
    parts_.context.counters.write_errors.fetch_add(1, std::memory_order_relaxed);
    parts_.context.trace.record(
        {.inode = parts_.id, .error = error, .kind = trace::Kind::write_error});
}

JournaledFile::Gauge JournaledFile::gauge() const {
    const FileLock lock(parts_);
    return {parts_.state.blocks().entries(), parts_.held.extents(), !parts_.lock_clean()};
}

void JournaledFile::abandon_if_nameless() {
    const base::Lock disk(parts_.disk);
    const FileLock lock(parts_);
    if (parts_.nameless && parts_.handles == 0) {
        parts_.lock_abandon();
        parts_.lock_close_if_unused();
    }
}

// --- The look for PG_dirty pages
// ------------------------------------------------------------------

PageSet JournaledFile::probe_begins() {
    const FileLock lock(parts_);
    PageSet pages;
    const ByteOffset size = parts_.state.size();
    if (parts_.policy() == FlushPolicy::eager && size > ByteOffset{0}) {
        pages.append({PageIndex{0}, page_of(ByteOffset{size.value - 1})});
    } else {
        const model::FileBlocks& blocks = parts_.state.blocks();
        for (auto page = blocks.next_ordered(PageIndex{0}); page && start_of(*page) < size;
             page = blocks.next_ordered(PageIndex{page->value + 1})) {
            if (parts_.state.must_know(*page, parts_.policy())) {
                pages.append({*page, *page});
            }
        }
    }
    if (!pages.empty()) {
        parts_.probe.open();
    }
    return pages;
}

std::size_t JournaledFile::learn_dirty(const PageSet& pages) {
    const FileLock lock(parts_);
    const PageSet still_dirty = parts_.probe.close(pages);
    std::vector<trace::Event> events;
    for (const PageRange& range : still_dirty.ranges()) {
        for (PageIndex page = range.first;
             page <= range.last && start_of(page) < parts_.state.size(); ++page) {
            parts_.lock_learn_allocation(range_of(page));
            if (parts_.state.learn_dirty(page)) {
                parts_.flushable = true;
                events.push_back({.inode = parts_.id,
                                  .page_or_offset = page.value,
                                  .kind = trace::Kind::page_dirty});
            }
        }
    }
    parts_.context.trace.record(events);
    parts_.context.counters.pages_found_dirty.fetch_add(events.size(), std::memory_order_relaxed);
    return events.size();
}

PageSet JournaledFile::compare_candidates(const PageSet& pages) const {
    const FileLock lock(parts_);
    const PageSet hashed = parts_.hashes.pages();
    PageSet candidates;
    for (const PageRange& range : hashed.ranges()) {
        for (PageIndex page = range.first; page <= range.last; ++page) {
            // A partial page (FileState::is_partial()) is not mapped, and kernels that retrieve
            // pages that are not up to date would return bytes that are not the file's.
            if (pages.contains(page) && !parts_.state.is_partial(page)) {
                candidates.append({page, page});
            }
        }
    }
    return candidates;
}

bool JournaledFile::differs(PageIndex page, std::span<const std::byte> bytes) {
    const FileLock lock(parts_);
    if (!parts_.hashes.contains(page)) {
        return false;
    }
    if (parts_.state.blocks().page(page).told) {
        return true; // known to be dirty already
    }
    if (!parts_.hashes.knows(page)) {
        // A write(2) has changed part of the page, so compare with the disk. If stores into the
        // page are lost, the disk does not have its bytes; then the present ones are taken as
        // unchanged.
        const ByteRange here = intersect(range_of(page), parts_.state.within_size());
        if (parts_.losses.any_in(here)) {
            parts_.hashes.set(start_of(page), bytes);
            return false;
        }
        std::array<std::byte, model::kPageSize> image{};
        if (here.empty() ||
            !parts_.lock_read_image(here.begin, std::span(image).first(here.size().value))) {
            return false;
        }
        parts_.hashes.set(start_of(page), image);
    }
    return !parts_.hashes.match(page, bytes);
}

} // namespace partialfs::file
