#include "fusefs/file/ordered_flush.hpp"

#include "fusefs/base/exceptions.hpp"
#include "fusefs/trace/recorder.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace partialfs::file {

using base::Result;
using model::BlockInPage;
using model::BlockMask;
using model::ByteCount;
using model::ByteRange;
using model::FlushPolicy;
using model::Generation;
using model::intersect;
using model::PageIndex;

namespace {

/// Most pages in one batch: limits how long a truncation of the file waits for it.
constexpr std::uint64_t kBatchPages = 256;

} // namespace

/// Makes the blocks of a batch dirty again if an exception ends the flush before they are written.
/// Destroyed with the file's mutex held.
class OrderedFlush::Uncleaned {
  public:
    Uncleaned(OrderedFlush& flush, const DiskBatch& batch) : flush_(flush), batch_(batch) {}
    Uncleaned(const Uncleaned&) = delete;
    Uncleaned& operator=(const Uncleaned&) = delete;
    ~Uncleaned() {
        if (!settled_) {
            flush_.lock_failed(batch_);
        }
    }
    void settled() { settled_ = true; }

  private:
    OrderedFlush& flush_;
    const DiskBatch& batch_;
    bool settled_ = false;
};

Flushed OrderedFlush::with_kernel(PageCache& cache, const PageSet& dirty) {
    if (policy_ == FlushPolicy::writeback) {
        return unmapped();
    }
    if (!file_.flushable.exchange(false)) {
        return result_;
    }
    PageIndex cursor{0};
    while (result_.error == 0) {
        const std::optional<Next> found = next(cursor);
        if (!found) {
            break;
        }
        if (!found->told) {
            cursor = flush_held(found->page);
        } else if (dirty.contains(found->page)) {
            cursor = flush_cached(cache, dirty, found->page);
        } else {
            cursor = flush_doubtful(cache, found->page);
        }
    }
    return finish(left_over_ || result_.error != 0);
}

std::optional<OrderedFlush::Next> OrderedFlush::next(PageIndex from) const {
    const FileLock lock(file_);
    const auto page = file_.state.next_flushable(from, policy_);
    if (!page) {
        return std::nullopt;
    }
    return Next{*page, file_.state.blocks().page(*page).told};
}

Flushed OrderedFlush::finish(bool look_again) {
    const FileLock lock(file_);
    if (look_again) {
        file_.flushable = true;
    }
    file_.lock_close_if_unused();
    return result_;
}

Flushed OrderedFlush::without_kernel() {
    if (policy_ == FlushPolicy::writeback) {
        return unmapped();
    }
    PageIndex cursor{0};
    while (result_.error == 0) {
        const std::optional<Next> found = next(cursor);
        if (!found) {
            break;
        }
        cursor = found->told ? PageIndex{found->page.value + 1} : flush_held(found->page);
    }
    return finish(false);
}

Flushed OrderedFlush::unmapped() {
    file_.flushable = false;
    std::optional<PageIndex> cursor{PageIndex{0}};
    while (result_.error == 0 && cursor) {
        const base::Lock disk(file_.disk);
        FileLock lock(file_);
        cursor = file_.state.blocks().next_unmapped_dirty(*cursor);
        DiskBatch batch(kBatchPages);
        Uncleaned guard(*this, batch);
        std::vector<trace::Event> events;
        for (std::uint64_t n = 0; cursor && n < kBatchPages; ++n) {
            const model::WriteDecision decision =
                file_.state.writepage_unmapped(*cursor, file_.contract());
            if (!decision.written.empty()) {
                batch.add_blocks(*cursor, decision.written);
            }
            events.push_back({.inode = file_.id,
                              .page_or_offset = cursor->value,
                              .kind = trace::Kind::writepage,
                              .written = decision.written,
                              .skipped = decision.skipped});
            cursor = file_.state.blocks().next_unmapped_dirty(PageIndex{cursor->value + 1});
        }
        file_.context.trace.record(events);
        lock_add_held(batch);
        write(batch, /*cached=*/false, lock);
        guard.settled();
    }
    // The pages written have joined the ordered list: the next commit must look at them.
    return finish(policy_ == FlushPolicy::ext3 || result_.error != 0);
}

PageIndex OrderedFlush::flush_held(PageIndex first) {
    const base::Lock disk(file_.disk);
    FileLock lock(file_);
    DiskBatch batch(kBatchPages);
    Uncleaned guard(*this, batch);
    std::optional<PageIndex> page = first;
    for (std::uint64_t n = 0; page && n < kBatchPages; ++n) {
        if (file_.state.blocks().page(*page).told) {
            break;
        }
        const BlockMask blocks = file_.state.flush(*page, policy_, commit_);
        if (!blocks.empty()) {
            batch.add_blocks(*page, blocks);
        }
        page = file_.state.next_flushable(PageIndex{page->value + 1}, policy_);
    }
    lock_add_held(batch);
    write(batch, /*cached=*/false, lock);
    guard.settled();
    return page.value_or(PageIndex{~std::uint64_t{0} / model::kPageSize});
}

PageIndex OrderedFlush::flush_cached(PageCache& cache, const PageSet& dirty, PageIndex first) {
    PageRange run{first, first};
    std::vector<std::optional<Generation>> generations;
    Epoch since;
    {
        const FileLock lock(file_);
        generations.push_back(file_.state.blocks().generation(first));
        const std::uint64_t limit = std::min(kBatchPages, cache.retrieve_limit());
        for (PageIndex page{first.value + 1}; run.count() < limit && dirty.contains(page) &&
                                              file_.state.next_flushable(page, policy_) == page;
             ++page) {
            generations.push_back(file_.state.blocks().generation(page));
            run.last = page;
        }
        since = file_.held.fetch_begins();
    }
    const PageIndex next = flush_retrieved(run, generations, since, cache.retrieve(file_.id, run));
    left_over_ = left_over_ || next <= run.last;
    return std::max(next, PageIndex{first.value + 1});
}

PageIndex OrderedFlush::flush_doubtful(PageCache& cache, PageIndex page) {
    std::array<std::optional<Generation>, 1> generations{};
    Epoch since;
    {
        const FileLock lock(file_);
        generations[0] = file_.state.blocks().generation(page);
        since = file_.held.fetch_begins();
    }
    bool clean = false;
    Result<RetrievedPages> fetched{};
    if (const std::optional<bool> answer = cache.is_clean(file_.id, page)) {
        clean = *answer;
    } else {
        // The kernel cannot be asked whether the page is dirty; it is not if it is not cached.
        fetched = cache.retrieve(file_.id, {page, page});
        clean = fetched ? fetched->bytes.empty() : kernel_is_gone(fetched.error().value);
    }
    const PageIndex next{page.value + 1};
    if (fetched && !fetched->bytes.empty()) {
        const PageIndex reached = flush_retrieved({page, page}, generations, since, fetched);
        left_over_ = left_over_ || reached <= page;
        return next;
    }
    const FileLock lock(file_);
    if (clean && file_.state.blocks().generation(page) == generations[0] &&
        file_.state.blocks().page(page).told) {
        BlockMask held;
        for (const BlockInPage block : file_.state.block_size().all()) {
            if (file_.held.buffered().touches(file_.state.block_size().range_of(page, block))) {
                held |= BlockMask::of(block);
            }
        }
        file_.state.forget_told(page, held);
        return page; // once more, for the bytes of it that are held here
    }
    left_over_ = true;
    return next;
}

PageIndex OrderedFlush::flush_retrieved(PageRange run,
                                        std::span<const std::optional<Generation>> generations,
                                        Epoch since, const Result<RetrievedPages>& fetched) {
    if (!fetched) {
        if (!kernel_is_gone(fetched.error().value)) {
            result_.error = fetched.error().value;
        }
        return run.first;
    }
    const base::Lock disk(file_.disk);
    FileLock lock(file_);
    const std::span<std::byte> bytes = fetched->bytes;
    file_.held.bring_up_to_date(start_of(run.first), bytes, since);
    const ByteRange copied =
        intersect({start_of(run.first), start_of(run.first) + ByteCount{bytes.size()}},
                  file_.state.within_size());
    DiskBatch batch(kBatchPages);
    Uncleaned guard(*this, batch);
    PageIndex page = run.first;
    for (std::size_t n = 0; page <= run.last && n * model::kPageSize < bytes.size(); ++n, ++page) {
        // Written back, truncated or punched since: the copy may be older than the disk.
        if (file_.state.blocks().generation(page) != generations[n] ||
            !file_.state.blocks().page(page).told) {
            continue;
        }
        const BlockMask blocks = file_.state.flush(page, policy_, commit_);
        if (!blocks.empty()) {
            batch.add_blocks(page, blocks);
            lock_add_retrieved(batch, page, blocks, copied, *fetched);
        }
    }
    write(batch, /*cached=*/true, lock);
    guard.settled();
    return page;
}

void OrderedFlush::lock_add_retrieved(DiskBatch& batch, PageIndex page, BlockMask blocks,
                                      ByteRange copied, const RetrievedPages& copy) {
    for (const BlockInPage block : blocks) {
        const ByteRange bytes = file_.state.block_size().range_of(page, block);
        const ByteRange here = intersect(bytes, copied);
        if (!here.empty()) {
            batch.add({here.begin,
                       copy.bytes.subspan((here.begin - copied.begin).value, here.size().value),
                       copy.owner});
        }
        // Beyond the copy the file can only have grown by write(2), so the bytes are held here.
        const ByteRange beyond =
            intersect({std::max(here.empty() ? bytes.begin : here.end, bytes.begin), bytes.end},
                      file_.state.within_size());
        file_.held.collect(beyond, batch.pieces());
    }
}

void OrderedFlush::lock_add_held(DiskBatch& batch) {
    const HeldBytes* const held = &file_.held; // the analysis looks into no lambda
    const ByteRange within = file_.state.within_size();
    batch.for_each_run(file_.state.block_size(), [&](ByteRange run) {
        // Writing only the held bytes has the same effect as reading the rest of the block and
        // writing it back.
        held->collect(intersect(run, within), batch.pieces());
    });
}

void OrderedFlush::write(DiskBatch& batch, bool cached, FileLock& lock) {
    if (batch.empty()) {
        return;
    }
    const Epoch before = file_.held.write_begins();
    const FileTimes* const times = &file_.times; // the analysis looks into no lambda
    if (std::ranges::all_of(batch.pages(),
                            [&](const auto& page) { return times->has_old_stores(page.first); })) {
        file_.lock_keep_mtime();
    }
    if (cached) { // the page cache has everything that programs wrote
        FileLosses* const losses = &file_.losses;
        batch.for_each_run(file_.state.block_size(), [&](ByteRange run) { losses->replaced(run); });
    }
    int error = 0;
    {
        const UnlockedForDisk unlocked(file_, lock);
        error = batch.write(file_);
    }
    result_.bytes += batch.bytes();
    if (error != 0) {
        result_.error = result_.error == 0 ? error : result_.error;
        if (batch.unfinished()) {
            lock_failed(batch);
            return;
        } // else the blocks stay clean
    }
    std::vector<trace::Event> events;
    std::uint64_t blocks_written = 0;
    for (const auto& [page, blocks] : batch.pages()) {
        if (batch.lost_any_of(page)) {
            continue; // it is in the ledger
        }
        if (cached) {
            file_.held.note_flushed(page, blocks,
                                    file_.state.blocks().generation(page).value_or(Generation{0}));
        }
        blocks_written += static_cast<std::uint64_t>(blocks.count());
        if (commit_.value != 0) {
            events.push_back({.inode = file_.id,
                              .page_or_offset = page.value,
                              .commit = commit_,
                              .kind = trace::Kind::ordered_flush,
                              .written = blocks});
        }
    }
    HeldBytes* const held = &file_.held; // the analysis looks into no lambda
    batch.for_each_run(file_.state.block_size(), [&](ByteRange run) {
        if (cached) {
            held->flushed_from_cache(run, before);
        } else {
            held->flushed(run, before);
        }
    });
    file_.context.trace.record(events);
    file_.context.counters.blocks_flushed.fetch_add(blocks_written, std::memory_order_relaxed);
    result_.blocks += blocks_written;
}

void OrderedFlush::lock_failed(const DiskBatch& batch) {
    model::FileState* const state = &file_.state; // the analysis looks into no lambda
    for (const auto& [page, blocks] : batch.pages()) {
        const auto failed = [&, page = page, blocks = blocks]() -> Result<void> {
            state->flush_failed(page, blocks);
            return {};
        };
        if (!base::without_exceptions(failed)) {
            // No memory for the state of this page. The error is reported as for the others.
            spdlog::error("inode {}: the flush of page {} failed, and cannot be tried again for "
                          "lack of memory",
                          file_.id.value, page.value);
        }
    }
}

} // namespace partialfs::file
