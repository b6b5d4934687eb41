// What the filesystem knows of one file: the states of its blocks, its size in memory and on disk,
// and whether fsync(2) commits.
//
// Decides which bytes a flush, a writepage, a truncation or a punch concerns. The daemon carries
// these decisions out on a backing file, vmmodel's predictor on a description of one, so that both
// use the same rule. Pure: the caller does the I/O.
//
// Not thread-safe: the owner guards it with the inode's mutex.
#pragma once

#include "fusefs/model/file_blocks.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

namespace partialfs::model {

/// Whether fsync(2) commits the running transaction, in addition to writing the file's pages
/// (I_DIRTY_SYNC and I_DIRTY_DATASYNC in ext3_sync_file(), fs/ext3/fsync.c).
enum class InodeDirty : std::uint8_t {
    no,
    if_clock_moved, ///< only if a new second has begun, as mtime is kept in seconds
    yes,
};

/// Invariant: backing_size() <= size(); they differ while growth is held back from the disk.
class FileState {
  public:
    /// `sparse`: blocks below `size` may have no place on disk.
    FileState(BlockSize block_size, ByteOffset size, bool sparse)
        : blocks_(block_size), size_(size), backing_size_(size), sparse_(sparse) {}

    [[nodiscard]] const FileBlocks& blocks() const { return blocks_; }
    [[nodiscard]] BlockSize block_size() const { return blocks_.block_size(); }
    [[nodiscard]] ByteOffset size() const { return size_; }
    [[nodiscard]] ByteOffset backing_size() const { return backing_size_; }
    [[nodiscard]] bool sparse() const { return sparse_; }
    [[nodiscard]] ByteRange within_size() const { return {ByteOffset{0}, size_}; }
    /// Whether a block is dirty, or growth is held back.
    [[nodiscard]] bool is_dirty() const {
        return size_ != backing_size_ || blocks_.next_dirty(PageIndex{0}).has_value();
    }

    /// Learns, where the policy needs it, which blocks of the pages that `range` touches have a
    /// place on disk: those below the backing size, except pages of a sparse file for which
    /// `has_data(PageIndex)` is false. A page with a state is known already.
    template <typename HasData>
    void learn_allocation(ByteRange range, FlushPolicy policy, HasData has_data) {
        const ByteRange on_disk = intersect(range, {ByteOffset{0}, backing_size_});
        if (policy != FlushPolicy::ext3 || on_disk.empty()) {
            return;
        }
        for (const PageIndex page : pages_of(on_disk)) {
            if (!blocks_.generation(page)) {
                const bool hole = sparse_ && !has_data(page);
                blocks_.set_allocated(page, hole ? BlockMask{}
                                                 : block_size().within(page, backing_size_));
            }
        }
    }

    /// The page cache has read these pages: it never had them, or has dropped them since (except at
    /// the first read of a page that a partial write(2) has made; see is_partial()).
    void pages_read(ByteRange range, FlushPolicy policy, Contract contract);
    /// The kernel has dropped the file's pages from its cache.
    void pages_evicted();
    /// Whether a write(2) of a part of the page has put it into the cache and it has not been read
    /// since: no mapping can have stored into it, and the cache may hold only that part.
    [[nodiscard]] bool is_partial(PageIndex page) const { return partial_.contains(page); }

    /// Makes room for the states that write() and writepage() of `range` need: they then cannot
    /// fail for want of memory.
    void reserve(ByteRange range);
    /// write(2) of `range`. See FileBlocks::explicit_write().
    void write(ByteRange range, Contract contract);
    /// The times of the file have changed with its data.
    void data_changed(InodeDirty dirty) { inode_dirty_ = std::max(inode_dirty_, dirty); }
    /// An operation that makes the inode dirty: chmod, chown, utimensat, link count, xattr.
    void attributes_changed() { inode_dirty_ = InodeDirty::yes; }

    /// As write(), but the kernel's cache does not hold the bytes (O_DIRECT).
    void write_behind_cache(ByteRange range, Contract contract) {
        write(range, contract);
        blocks_.changed_behind_cache(range);
    }
    /// Whether a commit must know if this page is PG_dirty, because it could flush it. Under ext3
    /// if the page has a block on the ordered list, under eager always, under writeback never.
    [[nodiscard]] bool must_know(PageIndex page, FlushPolicy policy) const {
        return policy == FlushPolicy::eager ||
               (policy == FlushPolicy::ext3 && !blocks_.page(page).ordered.empty());
    }
    /// A page was found PG_dirty. Returns whether that was unknown. See model::learn_dirty().
    bool learn_dirty(PageIndex page) { return blocks_.learn_dirty(page); }
    /// The blocks of a page that a commit writes by itself. See model::ordered_flush().
    BlockMask flush(PageIndex page, FlushPolicy policy, CommitId commit) {
        return blocks_.flush(page, policy, size_, commit);
    }
    void flush_failed(PageIndex page, BlockMask blocks) { blocks_.flush_failed(page, blocks); }
    /// The first page from `from` on that a commit must visit.
    [[nodiscard]] std::optional<PageIndex> next_flushable(PageIndex from,
                                                          FlushPolicy policy) const {
        return blocks_.next_flushable(from, policy, size_);
    }

    /// The result of writepage().
    struct Writepage {
        WriteDecision decision;
        std::array<CommitId, 8> cleaned_by; ///< of each block, before the writepage
    };
    /// The kernel writes a page back. See FileBlocks::writepage().
    Writepage writepage(PageIndex page, Contract contract);
    /// The filesystem's own writepage of a page that write(2) alone has dirtied: the blocks to be
    /// written.
    WriteDecision writepage_unmapped(PageIndex page, Contract contract);
    void forget_told(PageIndex page, BlockMask still_dirty) {
        blocks_.forget_told(page, still_dirty);
    }
    /// Drops the states that no later decision needs.
    void forget_idle(FlushPolicy policy) {
        if (policy != FlushPolicy::ext3) {
            blocks_.forget_idle();
        }
    }

    /// What a change of size requires on disk, planned before truncate().
    struct Truncation {
        bool on_disk;   ///< the backing file gets the size now; otherwise with the next commit
        bool straddles; ///< the new size lies inside a block, whose allocation must be known
    };
    [[nodiscard]] Truncation plan_truncate(ByteOffset size, FlushPolicy policy) const;
    /// The file's size has become `size`, and the disk's too if `plan.on_disk`.
    void truncate(ByteOffset size, Truncation plan);
    /// The bytes of `range` have been punched out of the backing file.
    void punch(ByteRange range);
    /// fallocate(2) beyond the end: grows_on_disk() says whether the disk gets the new size now,
    /// and grow() sets it.
    [[nodiscard]] bool grows_on_disk() const { return size_ == backing_size_; }
    void grow(ByteOffset size);

    /// Bytes up to `end` have reached the disk: its size covers them.
    void reached_disk(ByteOffset end) { backing_size_ = std::max(backing_size_, end); }
    /// The size that the disk may get now. It ends before `first_held`, the first byte beyond the
    /// disk's end that is only in memory. Nothing if the disk's size is that already.
    [[nodiscard]] std::optional<ByteOffset>
    size_to_let_through(std::optional<ByteOffset> first_held) const;
    void size_let_through(ByteOffset size);
    /// Somebody else has changed the backing file, while nothing of it was held back here.
    void adopt(ByteOffset size, bool sparse);
    /// Gives up everything that is held back: the last name and the last handle are gone.
    void abandon();

    [[nodiscard]] InodeDirty inode_dirty() const { return inode_dirty_; }
    /// For fsync(2): whether it commits. Makes the inode clean.
    InodeDirty take_inode_dirty() { return std::exchange(inode_dirty_, InodeDirty::no); }

  private:
    FileBlocks blocks_;
    ByteOffset size_;
    ByteOffset backing_size_;
    bool sparse_;
    InodeDirty inode_dirty_ = InodeDirty::no;
    /// See is_partial(): the next read of such a page does not mean that it was evicted.
    std::set<PageIndex> partial_;
};

} // namespace partialfs::model
