#include "fusefs/file/writeback.hpp"

#include "fusefs/base/exceptions.hpp"
#include "fusefs/file/error_of.hpp"
#include "fusefs/trace/recorder.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace partialfs::file {

using base::Result;
using model::BlockInPage;
using model::ByteCount;
using model::ByteRange;
using model::Contract;
using model::intersect;
using model::PageIndex;

namespace {

/// Appends `range` to `ranges`, joined to the last one if that ends where it begins.
void append(std::vector<ByteRange>& ranges, ByteRange range) {
    if (!ranges.empty() && ranges.back().end == range.begin) {
        ranges.back().end = range.end;
    } else {
        ranges.push_back(range);
    }
}

} // namespace

Result<void> Writeback::run() {
    const base::Lock disk(file_.disk);
    FileLock lock(file_);
    file_.context.counters.writepages.fetch_add(1, std::memory_order_relaxed);
    range_ = intersect({offset_, offset_ + ByteCount{bytes_.size()}}, file_.state.within_size());
    if (range_.empty()) {
        return {};
    }
    lock_prepare();
    lock_decide();
    int error = 0;
    {
        const UnlockedForDisk unlocked(file_, lock);
        error = write();
        const int unnoted = note_losses();
        error = error != 0 ? error : unnoted;
    }
    if (error == 0) {
        return {};
    }
    file_.lock_note_error(error);
    if (!kept_) {
        return base::failed(error); // the kernel reports it to every handle
    }
    file_.errors.record(error);
    return {};
}

void Writeback::lock_prepare() {
    file_.probe.written_back({range_.first_page(), range_.last_page()});
    file_.lock_learn_allocation(range_);
    const std::uint64_t pages = pages_of(range_).count();
    to_write_.reserve(pages * file_.state.block_size().per_page());
    events_.reserve(pages);
    const Contract contract = file_.contract();
    passed_over_.reserve(contract == Contract::linux_2_6_20 ? 0 : pages);
    file_.state.reserve(range_);
}

void Writeback::lock_decide() {
    const Contract contract = file_.contract();
    const model::BlockSize block_size = file_.state.block_size();
    file_.hashes.set(offset_, bytes_);
    // The page contains all bytes of write(2) as well.
    file_.held.replaced(whole_pages(range_));
    file_.losses.replaced(whole_pages(range_));
    file_.held.cache_caught_up(range_);
    for (const PageIndex page : pages_of(range_)) {
        const auto [decision, cleaned_by] = file_.state.writepage(page, contract);
        for (const BlockInPage block : decision.written) {
            append(to_write_, intersect(range_, block_size.range_of(page, block)));
        }
        if (!decision.skipped.empty()) {
            passed_over_.push_back({page, decision.skipped, cleaned_by});
        }
        file_.context.counters.blocks_written.fetch_add(
            static_cast<std::uint64_t>(decision.written.count()), std::memory_order_relaxed);
        file_.context.counters.blocks_skipped.fetch_add(
            static_cast<std::uint64_t>(decision.skipped.count()), std::memory_order_relaxed);
        events_.push_back({.inode = file_.id,
                           .page_or_offset = page.value,
                           .kind = trace::Kind::writepage,
                           .written = decision.written,
                           .skipped = decision.skipped});
    }
    file_.context.trace.record(events_);
    file_.flushable = true;
    if (!to_write_.empty()) {
        lock_move_times();
    }
}

/// The write changes the backing inode's mtime, which stands for the time of the stores. It must
/// not if a program has set mtime since they were made.
void Writeback::lock_move_times() {
    const bool set_since =
        file_.times.writes_back_old_stores({range_.first_page(), range_.last_page()});
    if (set_since) {
        file_.lock_keep_mtime();
    } else if (file_.times.held_mtime()) {
        file_.lock_touch_times();
    } else {
        file_.times.attributes_changed(file_.context.clock.now());
    }
}

int Writeback::write() {
    int error = 0;
    for (const ByteRange& run : to_write_) {
        if (error == 0) {
            error = error_of([&]() NO_THREAD_SAFETY_ANALYSIS -> Result<void> { // as write() itself
                const std::span<const std::byte> part = bytes_of(run);
                iovec iov{const_cast<std::byte*>(part.data()), part.size()};
                return file_.put_on_disk(run.begin, {&iov, 1}, FileParts::Growth::data_below_first);
            });
        }
        if (error != 0) {
            keep(run, error);
        } else {
            const FileLock lock(file_);
            file_.held.rewritten(run);
        }
    }
    return error;
}

void Writeback::keep(ByteRange run, int error) {
    if (!model::tries_again(file_.after_write_error(), error)) {
        lose(run, error);
        return;
    }
    const int unkept = error_of([&]() -> Result<void> {
        const FileLock lock(file_);
        // EPERM: bytes of an append-only file could not be written later either.
        if (error == EPERM || !file_.held.keep(run.begin, bytes_of(run), file_.context.budget)) {
            return base::failed(error);
        }
        file_.state.write(run, file_.contract());
        return {};
    });
    if (unkept == 0) {
        return;
    }
    kept_ = false;
    if (!file_.nameless) {
        const int unnoted = error_of([&]() -> Result<void> {
            file_.losses.refused(run, error);
            return {};
        });
        if (unnoted != 0) {
            spdlog::error("{} bytes at {} of inode {} are lost, and there is no memory for their "
                          "entry in the ledger",
                          run.size().value, run.begin.value, file_.id.value);
        }
    }
}

void Writeback::lose(ByteRange run, int error) {
    const int unnoted = error_of([&]() -> Result<void> {
        if (!file_.nameless) {
            file_.losses.refused_for_good(run.begin, bytes_of(run), error);
        }
        return {};
    });
    kept_ = kept_ && unnoted == 0;
}

int Writeback::note_losses() {
    int error = 0;
    for (const FileLosses::PassedOver& passed : passed_over_) {
        const int unnoted = error_of([&]() -> Result<void> {
            if (!file_.nameless) {
                file_.losses.note(passed, offset_, bytes_.first(range_.size().value));
            }
            return {};
        });
        error = error != 0 ? error : unnoted;
        kept_ = kept_ && unnoted == 0;
    }
    return error;
}

} // namespace partialfs::file
