// What a filesystem with buffer heads knows of one page, and the only ways in which it changes.
//
// The rule is that of Linux 2.6.19's ext3 in data=ordered mode; each function names the kernel
// function it follows. The daemon, vmmodel and its predictor all use these functions, which make
// every decision about which block is written.
//
// Pure values and pure functions: no I/O, no clock, any thread.
#pragma once

#include "fusefs/model/contract.hpp"
#include "fusefs/model/types.hpp"

#include <compare>
#include <cstdint>
#include <type_traits>

namespace partialfs::model {

/// The buffer heads of one page. Six bytes, compared and hashed as a value.
struct PageState {
    BlockMask dirty;     ///< BH_Dirty: must be written
    BlockMask ordered;   ///< on the running transaction's ordered list (BJ_SyncData)
    BlockMask mapped;    ///< BH_Mapped: the buffer knows its place on disk
    BlockMask allocated; ///< the block has a place on disk, whether the buffer knows it or not
    /// PG_dirty as far as this filesystem knows: set by set_page_dirty() and write(2), cleared by
    /// clear_page_dirty_for_io().
    bool page_dirty = false;
    /// The VM's set_page_dirty() for a mapped store has been accounted for since the last
    /// writepage. Only an observer who learns of it late (the daemon) uses this; see learn_dirty().
    bool told : 1 = false;
    /// A block device's page has an iomap_folio_state. See block_device.hpp.
    bool has_block_bits : 1 = false;
    std::uint8_t unused : 6 = 0; ///< so that every bit has a defined value

    bool operator==(const PageState&) const = default;
    /// Nothing to remember: as a page never touched, except for `mapped` and `allocated`.
    [[nodiscard]] bool idle() const {
        return dirty.empty() && ordered.empty() && !page_dirty && !told && !has_block_bits;
    }
};

static_assert(std::has_unique_object_representations_v<PageState>);

/// Blocks that a writepage or a flush writes, and those that it passes over as clean.
struct WriteDecision {
    BlockMask written;
    BlockMask skipped;

    bool operator==(const WriteDecision&) const = default;
};

/// The VM reports a store: every block becomes dirty, holes and blocks past EOF too; nothing joins
/// the ordered list. Follows __set_page_dirty_buffers() (fs/buffer.c).
void set_page_dirty(PageState& page, BlockSize block_size);

/// An observer has found PG_dirty set. The first call since the last writepage does what the
/// set_page_dirty() that it could not see would have done; later calls change nothing, as the
/// kernel calls it only once. Returns whether this was the first call.
bool learn_dirty(PageState& page, BlockSize block_size);

/// write(2) has changed the blocks `touched`: these, and only these, become allocated, mapped,
/// dirty and ordered. Follows ext3_ordered_commit_write() (fs/ext3/inode.c).
/// Returns whether a block was allocated, which makes the inode dirty.
bool explicit_write(PageState& page, BlockMask touched);

/// The blocks that a commit writes by itself. They become clean; PG_dirty and the PTEs stay as they
/// are, which is the first half of the bug.
///   ext3: dirty blocks on the ordered list (journal_submit_data_buffers(), fs/jbd/commit.c).
///   eager: every dirty block.
///   writeback: none.
/// The ordered list of the page is emptied under every policy. Blocks past EOF are never written
/// and stay dirty. `within_eof` as for writepage().
BlockMask ordered_flush(PageState& page, FlushPolicy policy, BlockMask within_eof);

/// The blocks that ordered_flush() would write, without doing it.
BlockMask flushable(const PageState& page, FlushPolicy policy, BlockMask within_eof);

/// The VM is about to write the page: PG_dirty is cleared and, if the contract promises it and a
/// PTE was dirty, set_page_dirty() comes first. Follows clear_page_dirty_for_io()
/// (mm/page-writeback.c) before and after commit 7658cc289288.
void clear_page_dirty_for_io(PageState& page, Contract contract, bool pte_was_dirty,
                             BlockSize block_size);

/// ->writepage(): dirty blocks within EOF are written, those past EOF only become clean; then every
/// mapped block joins the ordered list, clean ones too. Follows block_write_full_page() and
/// ext3_ordered_writepage(). `within_eof` is BlockSize::within() of the file's size.
/// Call clear_page_dirty_for_io() first.
WriteDecision writepage(PageState& page, BlockMask within_eof);

/// Whether a block of `written` has no place on disk yet. Allocation makes the inode dirty.
/// Call it before the write that allocates.
inline bool allocates(const PageState& page, BlockMask written) {
    return !(written - page.allocated).empty();
}

/// Truncation to a size inside this page. `kept` are the blocks that begin before the new size;
/// the others lose all state while PG_dirty and the PTEs stay: a second way to lose stores.
/// `straddling` is the block that the new size lies inside, if it has a place on disk: its tail is
/// zeroed, so it is dirty and ordered. Follows ext3_truncate() and ext3_block_truncate_page().
void truncate_inside(PageState& page, BlockMask kept, BlockMask straddling);

/// Blocks punched out: they lose all state and their place on disk.
void punch(PageState& page, BlockMask punched);

/// The page has left the page cache: its buffer heads are freed. `allocated` describes the disk,
/// and stays. Follows try_to_free_buffers().
void evict(PageState& page);

} // namespace partialfs::model
