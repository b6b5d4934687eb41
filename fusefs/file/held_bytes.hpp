// The bytes of one file that memory holds until they are on disk.
//
// A byte of write(2) is first buffered. When a flush has written it, it is in flight: kept until a
// sync has made it durable. If the sync fails, it is buffered again. The kernel's writeback of its
// page replaces it at any stage.
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
    /// Takes over the memory in which a write(2) was received; may be called only once, while the
    /// bytes passed along are valid. Returns null if the budget does not allow it.
    using TakeMemory = std::function<std::shared_ptr<Buffer>()>;

    /// Bytes of write(2) that no flush has written.
    [[nodiscard]] const WriteBuffer& buffered() const { return buffered_; }
    [[nodiscard]] bool empty() const { return buffered_.empty() && in_flight_.empty(); }
    /// The number of ranges in which the kernel's cache is out of date; see behind_cache().
    [[nodiscard]] std::size_t ranges_behind_cache() const { return behind_cache_.size(); }
    [[nodiscard]] std::size_t extents() const { return buffered_.extents() + in_flight_.extents(); }

    /// write(2) of `bytes`. Small writes are copied, the memory of large ones is taken over with
    /// `take`. False, and nothing changed, if the budget does not allow it.
    [[nodiscard]] bool put(model::ByteOffset offset, std::span<const std::byte> bytes,
                           const TakeMemory& take, BufferBudget& budget);
    /// write(2) of bytes that are on disk already: copied, whatever the budget says.
    void put_beyond_limit(model::ByteOffset offset, std::span<const std::byte> bytes,
                          BufferBudget& budget) {
        static_cast<void>(
            buffered_.insert_copy(offset, bytes, epoch_, budget, Charge::beyond_limit));
    }
    /// A fetch of pages from the kernel begins: bytes put from now on have this epoch or a later
    /// one, and count as newer than the copy.
    Epoch fetch_begins() { return ++epoch_; }
    /// A write to the disk begins: bytes put before it have an earlier epoch than the result.
    Epoch write_begins() { return ++epoch_; }
    /// The kernel's cache does not have the present bytes of `range` (O_DIRECT, or `zeroed` by
    /// fallocate): a copy fetched from it is older than the bytes here, until the kernel has read
    /// or written those pages.
    void behind_cache(model::ByteRange range, bool zeroed);
    /// The kernel has read or written back the pages of `range`.
    void cache_caught_up(model::ByteRange range);
    /// A write(2) through the page cache has brought the bytes of `range`.
    void cache_caught_up_by_write(model::ByteRange range);
    /// Lays newer bytes over a copy of cached pages, whose fetch began at `since`.
    void bring_up_to_date(model::ByteOffset offset, std::span<std::byte> copy, Epoch since) const;
    /// Adds the buffered pieces of `range` to `pieces`, ascending.
    void collect(model::ByteRange range, std::vector<Piece>& pieces) const;

    /// A flush has written the buffered bytes of `range` that were put before `before`: they are in
    /// flight now.
    void flushed(model::ByteRange range, Epoch before);
    /// The same, but the page cache still has the bytes (a mapped page), so they are dropped here.
    void flushed_from_cache(model::ByteRange range, Epoch before);
    /// A writepage has brought these pages: its bytes replace the buffered ones.
    void replaced(model::ByteRange pages) { buffered_.erase(pages); }
    /// The bytes of a writepage are on disk now, and replace those in flight.
    void rewritten(model::ByteRange range) { in_flight_.erase(range); }
    /// The disk has refused a writepage's bytes: keeps them as if write(2) had brought them. False
    /// if the budget does not allow it.
    [[nodiscard]] bool keep(model::ByteOffset offset, std::span<const std::byte> bytes,
                            BufferBudget& budget) {
        return buffered_.insert_copy(offset, bytes, epoch_, budget);
    }
    /// `range` has been truncated or punched away.
    void drop(model::ByteRange range);
    /// Drops everything.
    void abandon();

    /// A flush has written blocks of a page with mapped stores: if the sync fails, they are dirty
    /// again.
    void note_flushed(model::PageIndex page, model::BlockMask blocks,
                      model::Generation generation) {
        flushed_.push_back({page, blocks, generation, epoch_});
    }
    /// The backing file has been written to, or changed in another way that needs a sync.
    void disk_written(model::ByteRange range) { unsynced_.add(range); }
    void disk_changed() { unsynced_.add_change(); }
    [[nodiscard]] bool needs_sync() const { return unsynced_.any(); }
    void sync_begins() {
        unsynced_.sync_begins();
        sync_epoch_ = ++epoch_;
    }
    /// The sync has succeeded: bytes flushed before it began are durable.
    void synced();
    /// The sync has failed: flushed blocks are dirty again in `state`, and bytes in flight are
    /// buffered again.
    void sync_failed(model::FileState& state);
    /// The sync did not happen: the file still needs one.
    void sync_cancelled() { unsynced_.sync_failed(); }
    /// The ranges that must be written again after a failed sync.
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
    Epoch synced_before_{1}; ///< when the latest sync that succeeded began
};

} // namespace partialfs::file
