// The block states of a whole file: a sparse table of pages, a few machine words each.
//
// Applies the rule of page_state.hpp to byte ranges and remembers, for each block, which commit
// cleaned it. Pure: the caller does the I/O that the results call for.
//
// Not thread-safe: the owner guards it with the inode's mutex.
#pragma once

#include "fusefs/model/page_state.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

namespace partialfs::model {

/// Tells two states of a page apart. A page gets a new one with a new entry, at every writepage,
/// truncation inside it, punch and change behind the kernel's cache, and by forget_told(). A copy
/// of the page fetched under one generation must not be written under another.
using Generation = Strong<struct GenerationTag, std::uint32_t>;

class FileBlocks {
  public:
    /// Pages whose states share one allocation.
    static constexpr std::uint64_t kChunkPages = 8;

    explicit FileBlocks(BlockSize block_size) : block_size_(block_size) {}

    [[nodiscard]] BlockSize block_size() const { return block_size_; }

    /// State of a page; that of an untouched page if there is no entry.
    [[nodiscard]] PageState page(PageIndex index) const;
    /// Generation of a page's entry, or nothing if the page has none.
    [[nodiscard]] std::optional<Generation> generation(PageIndex index) const;
    /// The commit that last cleaned a block by its own flush since the page was last written back;
    /// CommitId{0} if none did.
    [[nodiscard]] CommitId cleaned_by(PageIndex index, BlockInPage block) const;

    /// Says which blocks of a page already have a place on disk. Only needed under
    /// FlushPolicy::ext3, where allocation makes the inode dirty.
    void set_allocated(PageIndex index, BlockMask allocated);

    /// Makes room for the states of the pages that `range` touches: an explicit_write() of it then
    /// allocates no memory, and cannot fail.
    void reserve(ByteRange range);
    /// write(2) of `range`. Returns whether a block was allocated. See model::explicit_write(), and
    /// block_device::write().
    bool explicit_write(ByteRange range, Contract contract = Contract::linux_2_6_19);
    /// The page cache has read these pages of a block device. See block_device::read().
    void read(ByteRange range);
    /// PG_dirty was found set. Returns whether this was unknown. See model::learn_dirty().
    bool learn_dirty(PageIndex index);
    /// A commit's own flush of a page: the blocks that the caller must now write.
    /// See model::ordered_flush().
    BlockMask flush(PageIndex index, FlushPolicy policy, ByteOffset size, CommitId commit);
    /// The flush of `blocks` failed: they are dirty again, and on the ordered list.
    void flush_failed(PageIndex index, BlockMask blocks);
    /// The kernel writes the page back: which blocks the caller must write, and which must be left
    /// as they are on disk. As the page arrived at all, a PTE is taken to have been dirty. See
    /// model::clear_page_dirty_for_io() and model::writepage().
    WriteDecision writepage(PageIndex index, Contract contract, ByteOffset size);
    /// The filesystem's own writepage, at fsync(2), of a page that only write(2) dirtied: the
    /// kernel has nothing to write back.
    WriteDecision writepage_unmapped(PageIndex index, Contract contract, ByteOffset size);
    /// The file shrinks to `size`: pages beyond it are dropped, and the page that it lies in loses
    /// the blocks that begin at or after it. `straddling_allocated`: the block that `size` lies
    /// inside has a place on disk.
    void truncate(ByteOffset size, bool straddling_allocated);
    /// The bytes of `range` are punched out: blocks wholly inside lose all state, and every page
    /// that it touches gets a new generation.
    void punch(ByteRange range);
    /// The bytes of `range` have changed without the kernel's cache (O_DIRECT): copies fetched
    /// before are out of date, so these pages get new generations.
    void changed_behind_cache(ByteRange range);
    /// The kernel has dropped the page from its cache.
    void evict(PageIndex index);
    /// A page that was thought dirty by a mapping is neither PG_dirty nor under writeback: the
    /// kernel has dropped it without a request. Only `still_dirty`, the blocks that have buffered
    /// bytes, stay dirty.
    void forget_told(PageIndex index, BlockMask still_dirty);
    /// Drops the entries of idle pages (PageState::idle()): no decision about data needs them.
    void forget_idle();

    /// The first page at or after `from` that a commit must visit: to write some of its blocks, or
    /// only to take its clean blocks off the ordered list (flush() then returns no block).
    [[nodiscard]] std::optional<PageIndex> next_flushable(PageIndex from, FlushPolicy policy,
                                                          ByteOffset size) const;
    /// The first page at or after `from` that has a block on the ordered list.
    [[nodiscard]] std::optional<PageIndex> next_ordered(PageIndex from) const;
    /// The first page at or after `from` that has a dirty block.
    [[nodiscard]] std::optional<PageIndex> next_dirty(PageIndex from) const;
    /// The first page at or after `from` that is dirty by write(2) alone: no mapped store into it
    /// is known since its last writepage.
    [[nodiscard]] std::optional<PageIndex> next_unmapped_dirty(PageIndex from) const;
    /// The first page at or after `from` that has an entry.
    [[nodiscard]] std::optional<PageIndex> next_entry(PageIndex from) const;
    /// Number of pages with an entry; the table's memory is proportional to it.
    [[nodiscard]] std::size_t entries() const { return entries_; }

  private:
    struct Entry {
        PageState state;
        Generation generation;
    };
    /// Neighbouring pages; `present` has a bit for each that has an entry.
    struct Chunk {
        explicit Chunk(BlockSize block_size)
            : cleaned_by(std::make_unique<CommitId[]>(kChunkPages * block_size.per_page())) {}

        std::uint64_t present = 0;
        std::array<Entry, kChunkPages> entries;
        /// For each block of each page, in order.
        std::unique_ptr<CommitId[]> cleaned_by;
    };

    [[nodiscard]] const Entry* find(PageIndex index) const;
    Chunk& chunk(std::uint64_t number);
    Entry& entry(PageIndex index);
    /// The page must have an entry.
    void set_cleaned_by(PageIndex index, BlockMask blocks, CommitId commit);
    /// Frees the entry if it says the same as no entry.
    void release_if_empty(PageIndex index);
    WriteDecision finish_writepage(PageIndex index, Entry& entry, Contract contract,
                                   ByteOffset size);
    template <typename Predicate>
    [[nodiscard]] std::optional<PageIndex> next(PageIndex from, Predicate wanted) const;

    BlockSize block_size_;
    std::map<std::uint64_t, std::unique_ptr<Chunk>> chunks_;
    std::size_t entries_ = 0;
    Generation last_generation_{0};
};

} // namespace partialfs::model
