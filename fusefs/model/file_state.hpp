// What the filesystem knows of one file: the states of its blocks, its size and the size that the
// disk has, and whether fsync(2) commits.
//
// The whole rule of which bytes a flush, a writepage, a truncation or a punch concerns. The daemon
// carries the answers out on a backing file, vmmodel's predictor on a description of one: what is
// explored is what ships. Pure: whoever calls does the I/O.
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

/// Whether fsync(2) commits the running transaction, beside writing the file's pages
/// (I_DIRTY_SYNC and I_DIRTY_DATASYNC in ext3_sync_file(), fs/ext3/fsync.c).
enum class InodeDirty : std::uint8_t {
    no,
    if_clock_moved, ///< mtime is kept by the second: it does if another second has begun
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
    /// place on disk: those below the backing size, but for pages of a sparse file of which
    /// `has_data(PageIndex)` says no. A page with a state is known already.
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

    /// The page cache has read these pages: it had not got them, or has dropped them since (but for
    /// the first read of a page that a write(2) of a part of it has made).
    void pages_read(ByteRange range, FlushPolicy policy, Contract contract);
    /// The kernel has dropped the file's pages from its cache.
    void pages_evicted();
    /// Whether the cached page was made by a write(2) of a part of it and has not been read since:
    /// no mapping can have stored into it, and the cache may hold no more than that part.
    [[nodiscard]] bool is_partial(PageIndex page) const { return partial_.contains(page); }

    /// Makes room for the states that write() and writepage() of `range` need: they then cannot
    /// fail for want of memory.
    void reserve(ByteRange range);
    /// write(2) of `range`. See FileBlocks::explicit_write().
    void write(ByteRange range, Contract contract);
    /// The times of the file have moved by a change of its data.
    void data_changed(InodeDirty dirty) { inode_dirty_ = std::max(inode_dirty_, dirty); }
    /// An operation that makes the inode dirty: chmod, chown, utimensat, link count, xattr.
    void attributes_changed() { inode_dirty_ = InodeDirty::yes; }

    /// As write(2), but the kernel's cache does not hold the bytes (O_DIRECT).
    void write_behind_cache(ByteRange range, Contract contract) {
        write(range, contract);
        blocks_.changed_behind_cache(range);
    }
    /// Whether a commit must know if this page is PG_dirty: it could flush it. Under ext3 if it has
    /// a block on the ordered list, under eager always, under writeback never.
    [[nodiscard]] bool must_know(PageIndex page, FlushPolicy policy) const {
        return policy == FlushPolicy::eager ||
               (policy == FlushPolicy::ext3 && !blocks_.page(page).ordered.empty());
    }
    /// A page was found PG_dirty. Returns whether that is news. See model::learn_dirty().
    bool learn_dirty(PageIndex page) { return blocks_.learn_dirty(page); }
    /// What a commit writes of a page by itself. See model::ordered_flush().
    BlockMask flush(PageIndex page, FlushPolicy policy, CommitId commit) {
        return blocks_.flush(page, policy, size_, commit);
    }
    void flush_failed(PageIndex page, BlockMask blocks) { blocks_.flush_failed(page, blocks); }
    /// The first page from `from` on that a commit must visit.
    [[nodiscard]] std::optional<PageIndex> next_flushable(PageIndex from,
                                                          FlushPolicy policy) const {
        return blocks_.next_flushable(from, policy, size_);
    }

    /// What a writepage makes of a page.
    struct Writepage {
        WriteDecision decision;
        std::array<CommitId, 8> cleaned_by; ///< of each block, before
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

    /// What a change of size asks of the disk, before truncate().
    struct Truncation {
        bool on_disk;   ///< the backing file gets the size now; if not, with the next commit
        bool straddles; ///< the new size lies inside a block, whose allocation must be known
    };
    [[nodiscard]] Truncation plan_truncate(ByteOffset size, FlushPolicy policy) const;
    /// The file's size has become `size`, as planned: the disk's with it if it was to.
    void truncate(ByteOffset size, Truncation plan);
    /// The bytes of `range` have been punched out of the disk.
    void punch(ByteRange range);
    /// fallocate(2) beyond the end: the file's size, and whether the disk gets it now.
    [[nodiscard]] bool grows_on_disk() const { return size_ == backing_size_; }
    void grow(ByteOffset size);

    /// Bytes up to `end` have reached the disk: its size covers them.
    void reached_disk(ByteOffset end) { backing_size_ = std::max(backing_size_, end); }
    /// The size that the disk may get now: not over bytes from `first_held` on, the first beyond
    /// the disk's end that only memory has. Nothing if it has that already.
    [[nodiscard]] std::optional<ByteOffset>
    size_to_let_through(std::optional<ByteOffset> first_held) const;
    void size_let_through(ByteOffset size);
    /// The backing file was changed by others while nothing of it was held here.
    void adopt(ByteOffset size, bool sparse);
    /// Everything that is held back is given up: the last name is gone, and the last handle.
    void abandon();

    [[nodiscard]] InodeDirty inode_dirty() const { return inode_dirty_; }
    /// fsync(2) asks whether it commits, and makes the inode clean.
    InodeDirty take_inode_dirty() { return std::exchange(inode_dirty_, InodeDirty::no); }

  private:
    FileBlocks blocks_;
    ByteOffset size_;
    ByteOffset backing_size_;
    bool sparse_;
    InodeDirty inode_dirty_ = InodeDirty::no;
    /// Pages whose first read does not say that they were evicted.
    std::set<PageIndex> partial_;
};

} // namespace partialfs::model
