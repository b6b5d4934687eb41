#include "fusefs/file/attributes.hpp"

#include "fusefs/backing/object.hpp"
#include "fusefs/base/try.hpp"
#include "fusefs/file/sparse_view.hpp"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace partialfs::file {

using base::Result;
using model::ByteOffset;
using model::PageIndex;

namespace {

/// Of this thread: a look that others interrupt takes no longer.
std::chrono::nanoseconds processor_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

} // namespace

std::optional<PageSet> Attributes::stored_pages(PageCache& cache) const {
    ByteOffset size;
    {
        const FileLock lock(parts_);
        if (parts_.mappable_handles == 0) {
            return PageSet{};
        }
        size = parts_.state.size();
    }
    return cache.dirty_now(parts_.id, size);
}

void Attributes::note_look(std::chrono::nanoseconds took, std::uint64_t pages) {
    constexpr std::chrono::microseconds kShort{200}; // a few times what a request itself takes
    const FileLock lock(parts_);
    stored_bytes_ = pages * model::kPageSize;
    next_look_ = took < kShort ? std::chrono::steady_clock::time_point{}
                               : std::chrono::steady_clock::now() + 100 * took;
}

Result<Attributes::Shown> Attributes::read(PageCache& cache) {
    ByteOffset size;
    {
        const FileLock lock(parts_);
        const Shown shown = TRY(lock_shown());
        if (!shown.may_move || std::chrono::steady_clock::now() < next_look_) {
            return shown;
        }
        size = parts_.state.size();
    }
    const auto began = processor_time();
    const auto pages = cache.dirty_count_now(parts_.id, size);
    if (pages) {
        note_look(processor_time() - began, *pages);
    }
    const FileLock lock(parts_);
    Shown shown = TRY(lock_shown());
    shown.wants_look = !pages;
    return shown;
}

Result<Attributes::Shown> Attributes::lock_shown() {
    auto status = TRY(parts_.backing.status());
    if (parts_.handles == 0 && parts_.lock_clean()) {
        // Only the daemon should change SOURCE; if somebody else did, take over the new size.
        parts_.state.adopt(model::offset_of(status.st_size),
                           status.st_blocks * 512 < status.st_size);
    }
    const std::uint64_t size = parts_.state.size().value;
    const auto on_disk = static_cast<std::uint64_t>(status.st_blocks) * 512;
    bool may_move = false;
    if (on_disk < size) {
        const std::uint64_t to_come =
            space_to_come(parts_.held.buffered(), parts_.state.backing_size(), parts_.backing);
        may_move = parts_.mappable_handles > 0 && on_disk + to_come < size;
        const std::uint64_t whole =
            (size + model::kPageSize - 1) / model::kPageSize * model::kPageSize;
        const std::uint64_t stored = may_move ? stored_bytes_ : 0;
        status.st_blocks = static_cast<blkcnt_t>(
            std::max(on_disk, std::min(whole, on_disk + to_come + stored)) / 512);
    }
    status.st_size = static_cast<off_t>(size);
    parts_.context.clock.given_out(status); // before adjust() replaces SOURCE's ctime
    parts_.times.adjust(status, /*flushing=*/parts_.writing != 0);
    return Shown{.status = status, .may_move = may_move};
}

PageSet Attributes::pages_under_writeback(PageCache& cache) const {
    ByteOffset size;
    {
        const FileLock lock(parts_);
        size = parts_.state.size();
    }
    return cache.under_writeback_now(parts_.id, size).value_or(PageSet{});
}

Result<void> Attributes::set_times(const std::array<timespec, 2>& times, PageCache& cache) {
    const bool sets_mtime = times[1].tv_nsec != UTIME_OMIT;
    std::optional<PageSet> stored;
    PageSet on_their_way;
    if (sets_mtime) {
        // In this order, as a page goes from PG_dirty to writeback.
        stored = stored_pages(cache);
        on_their_way = pages_under_writeback(cache);
    }
    // `disk` keeps a flush from moving mtime between the change and the status() below.
    const base::Lock disk(parts_.disk);
    const base::Lock setting(setting_times_);
    const FileLock lock(parts_);
    TRY(backing::change_times(parts_.backing.path_fd(), times));
    if (times[0].tv_nsec != UTIME_OMIT) {
        atime_set_ = true;
    }
    if (!sets_mtime) {
        return {};
    }
    const auto status = TRY(parts_.backing.status());
    parts_.times.release_mtime();
    if (!parts_.lock_clean()) {
        parts_.times.hold_mtime(status.st_mtim); // later flushes must not change it
    }
    if (!stored) {
        stored.emplace();
        stored->append({PageIndex{0}, page_of(parts_.state.size())});
        on_their_way = *stored;
    }
    parts_.times.set_over_stores(std::move(*stored), std::move(on_their_way));
    return {};
}

void Attributes::may_have_been_read(const BackingFile::Handle& handle) {
    std::byte first{};
    const base::Lock lock(setting_times_);
    if (!atime_set_) {
        [[maybe_unused]] const ssize_t got = ::pread(handle->get(), &first, 1, 0);
    }
}

void Attributes::changed() {
    const FileLock lock(parts_);
    parts_.state.attributes_changed();
    parts_.attributes_unsynced = true;
    if (const auto status = parts_.backing.status()) {
        parts_.times.attributes_changed(status->st_ctim);
        parts_.nameless = parts_.nameless && status->st_nlink == 0;
    }
}

} // namespace partialfs::file
