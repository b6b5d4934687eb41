// The bytes of one file that memory holds for the disk.
//
// A byte of write(2) goes three ways: it is buffered; a flush writes it, and it is in flight, kept
// until a sync has made it durable; the sync fails, and it is buffered again. The kernel's
// writeback of its page replaces it on any of them.
#pragma once

#include "fusefs/file/unsynced_writes.hpp"
#include "fusefs/file/write_buffer.hpp"
#include "fusefs/model/file_state.hpp"
#include "fusefs/model/types.hpp"

#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace partialfs::file {

/// Some bytes of the file and what keeps them alive.
struct Piece {
    model::ByteOffset at;
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
};

/// Not thread-safe: guarded by the file's mutex.
class HeldBytes {
  public:
    /// Takes over the memory that a write(2) was received in; may only be called once, while the
    /// bytes passed along are valid. Null if that gives none for want of budget.
    using TakeMemory = std::function<std::shared_ptr<Buffer>()>;

    /// What write(2) has brought and no flush has written.
    [[nodiscard]] const WriteBuffer& buffered() const { return buffered_; }
    [[nodiscard]] bool empty() const { return buffered_.empty() && in_flight_.empty(); }
    /// Ranges that the kernel's cache is behind in.
    [[nodiscard]] std::size_t ranges_behind_cache() const { return behind_cache_.size(); }
    [[nodiscard]] std::size_t extents() const { return buffered_.extents() + in_flight_.extents(); }

    /// write(2) of `bytes`. Small writes are copied, large ones taken over with `take`. False, and
    /// nothing changed, if the budget does not allow it.
    [[nodiscard]] bool put(model::ByteOffset offset, std::span<const std::byte> bytes,
                           const TakeMemory& take, BufferBudget& budget);
    /// write(2) of bytes that are on disk already: copied, whatever the budget says.
    void put_beyond_limit(model::ByteOffset offset, std::span<const std::byte> bytes,
                          BufferBudget& budget) {
        static_cast<void>(
            buffered_.insert_copy(offset, bytes, epoch_, budget, Charge::beyond_limit));
    }
    /// A fetch of pages from the kernel begins: bytes put from now on are newer than what it gets.
    Epoch fetch_begins() { return ++epoch_; }
    /// What a write begun now makes of the bytes put so far: they have a smaller epoch.
    Epoch write_begins() { return ++epoch_; }
    /// The kernel's cache does not hold `range` (O_DIRECT, zeroed by fallocate): a copy fetched
    /// from it is older than what is here, until it has read or written those pages.
    void behind_cache(model::ByteRange range, bool zeroed);
    /// The kernel has read or written back the pages of `range`.
    void cache_caught_up(model::ByteRange range);
    /// A write(2) through the page cache has brought the bytes of `range`.
    void cache_caught_up_by_write(model::ByteRange range);
    /// Lays over a copy of cached pages what is newer than it.
    void bring_up_to_date(model::ByteOffset offset, std::span<std::byte> copy, Epoch since) const;
    /// Adds the buffered pieces of `range` to `pieces`, ascending.
    void collect(model::ByteRange range, std::vector<Piece>& pieces) const;

    /// A flush has written what is buffered of `range`, as far as it was put before `before`: it is
    /// in flight now.
    void flushed(model::ByteRange range, Epoch before);
    /// The same, but the page cache still has the bytes (a mapped page).
    void flushed_from_cache(model::ByteRange range, Epoch before);
    /// A writepage has these pages: its bytes replace the buffered ones.
    void replaced(model::ByteRange pages) { buffered_.erase(pages); }
    /// ... and are on disk now, in place of those in flight.
    void rewritten(model::ByteRange range) { in_flight_.erase(range); }
    /// The disk refuses a writepage's bytes: they are kept as if write(2) had brought them. False
    /// if the budget does not allow it.
    [[nodiscard]] bool keep(model::ByteOffset offset, std::span<const std::byte> bytes,
                            BufferBudget& budget) {
        return buffered_.insert_copy(offset, bytes, epoch_, budget);
    }
    /// Truncated or punched away.
    void drop(model::ByteRange range);
    /// Everything.
    void abandon();

    /// Pages of mapped stores that a flush wrote: if the sync fails they are dirty again.
    void note_flushed(model::PageIndex page, model::BlockMask blocks,
                      model::Generation generation) {
        flushed_.push_back({page, blocks, generation, epoch_});
    }
    /// The backing file has been written to, or changed in another way that a sync is for.
    void disk_written(model::ByteRange range) { unsynced_.add(range); }
    void disk_changed() { unsynced_.add_change(); }
    [[nodiscard]] bool needs_sync() const { return unsynced_.any(); }
    void sync_begins() {
        unsynced_.sync_begins();
        sync_epoch_ = ++epoch_;
    }
    /// It has succeeded: what was flushed before it began is on disk for good.
    void synced();
    /// What was flushed is dirty again in `state`, and what was in flight is buffered.
    void sync_failed(model::FileState& state);
    /// As sync_begins() has not been called.
    void sync_cancelled() { unsynced_.sync_failed(); }
    /// What must be written again after a failed sync.
    [[nodiscard]] const UnsyncedWrites& unsynced() const { return unsynced_; }

  private:
    struct FlushedPage {
        model::PageIndex page;
        model::BlockMask blocks;
        model::Generation generation;
        Epoch when;
    };
    struct BehindCache {
        model::ByteRange range;
        Epoch since;
        bool zeroed;
    };

    WriteBuffer buffered_;
    WriteBuffer in_flight_;
    std::vector<FlushedPage> flushed_;
    std::vector<BehindCache> behind_cache_;
    UnsyncedWrites unsynced_;
    Epoch epoch_{1};
    Epoch sync_epoch_{1};    ///< when the latest sync began
    Epoch synced_before_{1}; ///< when the latest but one that succeeded began
};

} // namespace partialfs::file
