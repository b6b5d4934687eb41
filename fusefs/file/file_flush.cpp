// FileData's part of a commit: the ordered flush.
#include "fusefs/file/flush_batch.hpp"
#include "fusefs/journal/ledger_book.hpp"
#include "fusefs/trace/recorder.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <optional>
#include <thread>
#include <utility>

namespace partialfs::file {

using base::Result;
using model::BlockInPage;
using model::BlockMask;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::CommitId;
using model::FlushPolicy;
using model::intersect;
using model::PageIndex;

namespace {

/// Pages written in one go, with the mutex held: bounds how long others wait for it.
constexpr std::uint64_t kBatchPages = 256;

} // namespace

void FileData::add_buffered(Batch& batch) {
    batch.for_each_run([&](ByteRange run) {
        // Writing just the buffered bytes leaves the rest of a block as it is on disk, which is
        // what reading it and writing it back would do.
        buffers_.for_each(
            intersect(run, {ByteOffset{0}, size_}),
            [&](ByteOffset at, std::span<const std::byte> part) { batch.piece(at, part); });
    });
}

void FileData::settle(Batch& batch, int error, CommitId commit, bool from_kernel, Flushed& result) {
    std::vector<trace::Event> events;
    std::uint64_t flushed = 0;
    for (const auto& [page, blocks] : batch.pages()) {
        if (error != 0) {
            blocks_.flush_failed(page, blocks);
            continue;
        }
        flushed_.push_back({page, blocks, blocks_.generation(page).value_or(model::Generation{0}),
                            blocks_.page(page).told});
        flushed += static_cast<std::uint64_t>(blocks.count());
        events.push_back({.inode = id_,
                          .page_or_offset = page.value,
                          .commit = commit,
                          .kind = trace::Kind::ordered_flush,
                          .written = blocks});
    }
    if (error == 0) {
        batch.for_each_run([&](ByteRange run) {
            if (from_kernel) {
                buffers_.erase(run);
            } else {
                buffers_.move_to(in_flight_, run);
            }
        });
    }
    batch.settled();
    context_.trace.record(events);
    context_.blocks_flushed.fetch_add(flushed, std::memory_order_relaxed);
    result.blocks += flushed;
    result.bytes += batch.bytes();
    if (error != 0 && result.error == 0) {
        result.error = error;
    }
}

FileData::Flushed FileData::flush(PageCache& cache, const PageSet& dirty, CommitId commit) {
    Pass pass{.policy = context_.policy.load(std::memory_order_relaxed), .commit = commit};
    std::unique_lock lock(mutex_);
    if (!flushable_) {
        return pass.result;
    }
    flushable_ = false;
    std::optional<PageIndex> cursor{PageIndex{0}};
    while (pass.result.error == 0 &&
           (cursor = blocks_.next_flushable(*cursor, pass.policy, size_))) {
        if (!blocks_.page(*cursor).told) {
            cursor = flush_run(*cursor, pass);
            // Let others in between batches: who unlocks and locks again at once goes first.
            lock.unlock();
            std::this_thread::yield();
            lock.lock();
        } else if (dirty.contains(*cursor)) {
            cursor = flush_cached(cache, dirty, *cursor, lock, pass);
        } else {
            cursor = flush_doubtful(cache, *cursor, lock, pass);
        }
    }
    flushable_ = flushable_ || pass.left_over || pass.result.error != 0;
    close_if_unused();
    return pass.result;
}

PageIndex FileData::flush_cached(PageCache& cache, const PageSet& dirty, PageIndex first,
                                 std::unique_lock<std::mutex>& lock, Pass& pass) {
    PageRange run{first, first};
    std::vector<std::optional<model::Generation>> generations{blocks_.generation(first)};
    const std::uint64_t limit = std::min(kBatchPages, cache.retrieve_limit());
    for (PageIndex page{first.value + 1}; run.count() < limit && dirty.contains(page) &&
                                          blocks_.next_flushable(page, pass.policy, size_) == page;
         ++page) {
        generations.push_back(blocks_.generation(page));
        run.last = page;
    }
    const Epoch since = ++epoch_;
    lock.unlock();
    const Result<RetrievedPages> fetched = cache.retrieve(id_, run);
    lock.lock();
    const PageIndex next = flush_retrieved(run, generations, since, fetched, pass);
    pass.left_over = pass.left_over || next <= run.last;
    return std::max(next, PageIndex{first.value + 1});
}

PageIndex FileData::flush_doubtful(PageCache& cache, PageIndex page,
                                   std::unique_lock<std::mutex>& lock, Pass& pass) {
    const std::array generations{blocks_.generation(page)};
    const Epoch since = ++epoch_;
    lock.unlock();
    bool clean = false;
    Result<RetrievedPages> fetched{};
    if (const std::optional<bool> answer = cache.is_clean(id_, page)) {
        clean = *answer;
    } else {
        // The kernel cannot be asked: what is not in its cache is not dirty there.
        fetched = cache.retrieve(id_, {page, page});
        clean = fetched ? fetched->bytes.empty() : kernel_is_gone(fetched.error().value);
    }
    lock.lock();
    const PageIndex next{page.value + 1};
    if (fetched && !fetched->bytes.empty()) {
        const PageIndex reached = flush_retrieved({page, page}, generations, since, fetched, pass);
        pass.left_over = pass.left_over || reached <= page;
        return next;
    }
    if (clean && blocks_.generation(page) == generations[0] && blocks_.page(page).told) {
        BlockMask buffered;
        for (std::uint8_t i = 0; i < context_.block_size.per_page(); ++i) {
            if (buffers_.touches(context_.block_size.range_of(page, BlockInPage{i}))) {
                buffered |= BlockMask::of(BlockInPage{i});
            }
        }
        blocks_.forget_told(page, buffered);
        return page; // what it has buffered is flushed now
    }
    pass.left_over = true;
    return next;
}

PageIndex FileData::flush_retrieved(PageRange run,
                                    std::span<const std::optional<model::Generation>> generations,
                                    Epoch since, const Result<RetrievedPages>& fetched,
                                    Pass& pass) {
    const Result<int> fd = file_.writable();
    if (!fd) {
        pass.result.error = fd.error().value;
        return run.first;
    }
    if (!fetched) {
        if (!kernel_is_gone(fetched.error().value)) {
            pass.result.error = fetched.error().value;
        }
        return run.first;
    }
    const std::span<std::byte> bytes = fetched->bytes;
    // Stores that lie past the end of what was fetched, in a file that has grown since, are of
    // write(2) alone and in the buffers.
    buffers_.overlay(start_of(run.first), bytes, since);
    Batch batch(*this, *fd, kBatchPages);
    PageIndex page = run.first;
    for (std::size_t n = 0; page <= run.last && n * model::kPageSize < bytes.size(); ++n, ++page) {
        // Written back, truncated or punched since: the copy may be older than what is on disk.
        if (blocks_.generation(page) != generations[n] || !blocks_.page(page).told) {
            continue;
        }
        const BlockMask blocks = blocks_.flush(page, pass.policy, size_, pass.commit);
        if (blocks.empty()) {
            continue;
        }
        batch.page(page, blocks);
        const ByteRange present =
            intersect({start_of(run.first), start_of(run.first) + ByteCount{bytes.size()}},
                      {ByteOffset{0}, size_});
        for (std::uint8_t i = 0; i < context_.block_size.per_page(); ++i) {
            if (!blocks.contains(BlockInPage{i})) {
                continue;
            }
            const ByteRange block = context_.block_size.range_of(page, BlockInPage{i});
            const ByteRange here = intersect(block, present);
            if (!here.empty()) {
                batch.piece(here.begin, bytes.subspan((here.begin - start_of(run.first)).value,
                                                      here.size().value));
            }
            const ByteRange beyond =
                intersect({std::max(here.empty() ? block.begin : here.end, block.begin), block.end},
                          {ByteOffset{0}, size_});
            if (!beyond.empty()) {
                buffers_.for_each(beyond, [&](ByteOffset at, std::span<const std::byte> part) {
                    batch.piece(at, part);
                });
            }
        }
    }
    const int error = batch.finish();
    settle(batch, error, pass.commit, /*from_kernel=*/true, pass.result);
    return page;
}

PageIndex FileData::flush_run(PageIndex first, Pass& pass) {
    const Result<int> fd = file_.writable();
    if (!fd) {
        pass.result.error = fd.error().value;
        return first;
    }
    Batch batch(*this, *fd, kBatchPages);
    PageIndex page = first;
    const PageIndex limit{first.value + kBatchPages};
    while (page < limit) {
        const BlockMask blocks = blocks_.flush(page, pass.policy, size_, pass.commit);
        if (!blocks.empty()) {
            batch.page(page, blocks);
        }
        const auto next = blocks_.next_flushable(PageIndex{page.value + 1}, pass.policy, size_);
        if (!next) {
            page = limit;
            break;
        }
        page = *next;
        if (blocks_.page(page).told) {
            break;
        }
    }
    add_buffered(batch);
    const int error = batch.finish();
    settle(batch, error, pass.commit, /*from_kernel=*/false, pass.result);
    return page;
}

FileData::Flushed FileData::flush_buffers(CommitId commit) {
    Pass pass{.policy = context_.policy.load(std::memory_order_relaxed), .commit = commit};
    const std::scoped_lock lock(mutex_);
    std::optional<PageIndex> cursor{PageIndex{0}};
    while (pass.result.error == 0 &&
           (cursor = blocks_.next_flushable(*cursor, pass.policy, size_))) {
        cursor =
            blocks_.page(*cursor).told ? PageIndex{cursor->value + 1} : flush_run(*cursor, pass);
    }
    close_if_unused();
    return pass.result;
}

FileData::Flushed FileData::write_back_unmapped() {
    Flushed result;
    const std::scoped_lock lock(mutex_);
    std::optional<PageIndex> cursor{PageIndex{0}};
    while (result.error == 0 && (cursor = blocks_.next_unmapped_dirty(*cursor))) {
        const Result<int> fd = file_.writable();
        if (!fd) {
            result.error = fd.error().value;
            break;
        }
        Batch batch(*this, *fd, kBatchPages);
        std::vector<trace::Event> events;
        const PageIndex limit{cursor->value + kBatchPages};
        while (cursor && *cursor < limit) {
            const BlockMask allocated = blocks_.page(*cursor).allocated;
            const model::WriteDecision decision = blocks_.writepage_unmapped(*cursor, size_);
            inode_dirty_ = inode_dirty_ || !(decision.written - allocated).empty();
            if (!decision.written.empty()) {
                batch.page(*cursor, decision.written);
            }
            events.push_back({.inode = id_,
                              .page_or_offset = cursor->value,
                              .kind = trace::Kind::writepage,
                              .written = decision.written,
                              .skipped = decision.skipped});
            cursor = blocks_.next_unmapped_dirty(PageIndex{cursor->value + 1});
        }
        context_.trace.record(events);
        add_buffered(batch);
        const int error = batch.finish();
        Flushed ignored;
        settle(batch, error, CommitId{0}, /*from_kernel=*/false, ignored);
        result.error = error;
        result.bytes += batch.bytes();
        flushable_ = true;
        if (!cursor) {
            break;
        }
    }
    return result;
}

} // namespace partialfs::file
