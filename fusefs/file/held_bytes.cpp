#include "fusefs/file/held_bytes.hpp"

#include <algorithm>

namespace partialfs::file {

using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::PageIndex;

namespace {

/// From this size on the memory of a write(2) is taken over instead of copied.
constexpr std::size_t kTakeFrom = std::size_t{512} * 1024;

} // namespace

bool HeldBytes::put(ByteOffset offset, std::span<const std::byte> bytes, const TakeMemory& take,
                    BufferBudget& budget) {
    if (bytes.size() < kTakeFrom) {
        return buffered_.insert_copy(offset, bytes, epoch_, budget);
    }
    std::shared_ptr<Buffer> owner = take();
    if (!owner) {
        return false;
    }
    buffered_.insert(offset, std::move(owner), bytes, epoch_);
    return true;
}

void HeldBytes::behind_cache(ByteRange range, bool zeroed) {
    if (!range.empty()) {
        behind_cache_.push_back({range, epoch_, zeroed});
    }
}

void HeldBytes::cache_caught_up(ByteRange range) {
    cache_caught_up_by_write(whole_pages(range));
}

void HeldBytes::cache_caught_up_by_write(ByteRange range) {
    if (behind_cache_.empty() || range.empty()) {
        return;
    }
    std::vector<BehindCache> left;
    for (const BehindCache& one : behind_cache_) {
        for (const ByteRange rest : {intersect(one.range, {ByteOffset{0}, range.begin}),
                                     intersect(one.range, {range.end, model::kBehindAll})}) {
            if (!rest.empty()) {
                left.push_back({rest, one.since, one.zeroed});
            }
        }
    }
    behind_cache_ = std::move(left);
}

void HeldBytes::bring_up_to_date(ByteOffset offset, std::span<std::byte> copy, Epoch since) const {
    const ByteRange all{offset, offset + ByteCount{copy.size()}};
    for (const BehindCache& one : behind_cache_) {
        const ByteRange here = intersect(one.range, all);
        if (here.empty()) {
            continue;
        }
        const auto part = copy.subspan((here.begin - offset).value, here.size().value);
        if (one.zeroed) {
            std::ranges::fill(part, std::byte{0});
        }
        buffered_.overlay(here.begin, part, one.since);
    }
    buffered_.overlay(offset, copy, since);
}

void HeldBytes::collect(ByteRange range, std::vector<Piece>& pieces) const {
    buffered_.for_each_owned(
        range, [&](ByteOffset at, std::span<const std::byte> bytes,
                   const std::shared_ptr<Buffer>& owner) { pieces.push_back({at, bytes, owner}); });
}

void HeldBytes::flushed(ByteRange range, Epoch before) {
    buffered_.move_to(in_flight_, range, before, epoch_);
}

void HeldBytes::flushed_from_cache(ByteRange range, Epoch before) {
    WriteBuffer on_disk;
    buffered_.move_to(on_disk, range, before, epoch_);
}

void HeldBytes::drop(ByteRange range) {
    buffered_.erase(range);
    in_flight_.erase(range);
}

void HeldBytes::abandon() {
    buffered_.clear();
    in_flight_.clear();
    flushed_.clear();
    behind_cache_.clear();
    unsynced_.clear();
}

void HeldBytes::synced() {
    in_flight_.erase_before(sync_epoch_);
    std::erase_if(flushed_, [&](const FlushedPage& page) { return page.when < sync_epoch_; });
    // A range that is not buffered any more has no bytes to lay over a copy; a zeroed edge only
    // matters for a copy that was fetched while the request was being answered.
    std::erase_if(behind_cache_, [&](const BehindCache& one) {
        return one.zeroed ? one.since < synced_before_ : !buffered_.touches(one.range);
    });
    synced_before_ = sync_epoch_;
    unsynced_.sync_succeeded();
}

void HeldBytes::sync_failed(model::FileState& state) {
    unsynced_.sync_failed();
    for (const FlushedPage& page : flushed_) {
        if (state.blocks().generation(page.page) == page.generation) {
            state.flush_failed(page.page, page.blocks); // the kernel still has the bytes
        }
    }
    in_flight_.for_each(model::kAllBytes, [&](ByteOffset at, std::span<const std::byte> part) {
        const ByteRange range{at, at + ByteCount{part.size()}};
        for (const PageIndex page : pages_of(range)) {
            state.flush_failed(page, state.block_size().touched(page, range));
        }
    });
    buffered_.take_missing(in_flight_);
    flushed_.clear();
}

} // namespace partialfs::file
