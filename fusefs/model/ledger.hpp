// The ledger of lost stores: which bytes in the page cache the disk will never see.
//
// At each writepage the filesystem compares the blocks that it passes over with what is on disk.
// What differs is lost unless somebody writes the block again, which heals it.
//
// Pure: times and paths are passed in. Not thread-safe: the owner guards it with its own mutex.
#pragma once

#include "fusefs/model/types.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace partialfs::model {

/// One range of bytes, inside one block, that is right in memory and stale on disk.
struct LostStore {
    std::uint64_t number = 0; ///< counted from 1, in the order of discovery
    InodeId inode;
    std::string path; ///< relative to the mount, as it was when the loss was found
    PageIndex page;
    BlockInPage block;
    ByteRange bytes;        ///< in the file
    CommitId cleaned_by;    ///< the commit whose ordered flush had called the block clean
    Nanoseconds cleaned_at; ///< when that was
    Nanoseconds lost_at;    ///< when writepage passed over the block
    std::optional<Nanoseconds> healed_at; ///< when the bytes were written after all

    bool operator==(const LostStore&) const = default;
};

/// The maximal ranges in which `memory` and `disk` differ, as ranges of the file that begin at
/// `begin`. A shorter `disk` reads as zeros past its end, as a hole does.
std::vector<ByteRange> differing_ranges(std::span<const std::byte> memory,
                                        std::span<const std::byte> disk, ByteOffset begin);

class Ledger {
  public:
    /// How many healed entries are kept; older ones are only counted.
    static constexpr std::size_t kHealedKept = 65536;

    struct Counts {
        std::uint64_t recorded = 0; ///< entries ever made
        std::uint64_t open = 0;     ///< lost and not healed
        std::uint64_t open_bytes = 0;
        std::uint64_t healed = 0;
        std::uint64_t dropped = 0; ///< truncated, punched or unlinked away

        bool operator==(const Counts&) const = default;
    };

    /// A writepage has passed over this block, and `lost` (ranges inside the block, ascending) is
    /// what of it differs from the disk. What was known before keeps its number and time; what is
    /// new of `lost` gets entries. An entry that no longer differs stays open: that the page has
    /// the disk's bytes now says that it was evicted and read again, not that the store came back;
    /// only heal() closes it. `loss` has the common fields; its number and bytes are ignored.
    void record(const LostStore& loss, BlockIndex block, const std::vector<ByteRange>& lost);
    /// The bytes of `range` have been written to disk: what is open of them is healed. An entry
    /// that lies partly inside is cut: the part outside stays open, under the same number.
    void heal(InodeId inode, ByteRange range, BlockSize block_size, Nanoseconds now);
    /// The bytes of `range` are gone (punch): open entries are cut to what lies outside.
    void drop(InodeId inode, ByteRange range, BlockSize block_size);
    /// The file has become `size` bytes long: open entries are cut off there.
    void truncate(InodeId inode, ByteOffset size);
    /// The inode is gone: all its open entries are dropped.
    void forget(InodeId inode);

    [[nodiscard]] Counts counts() const { return counts_; }
    [[nodiscard]] bool has_open(InodeId inode) const;
    /// Whether anything is open in the blocks that `range` touches.
    [[nodiscard]] bool has_open(InodeId inode, ByteRange range, BlockSize block_size) const;
    /// Open and healed entries in the order of discovery.
    [[nodiscard]] std::vector<LostStore> entries() const;

  private:
    using Key = std::pair<InodeId, BlockIndex>;

    void move_to_healed(LostStore& entry, Nanoseconds now);
    void count_closed(const LostStore& entry);
    /// Takes `range` out of all open entries; calls `taken(entry)` with each part taken out.
    template <typename Taken>
    void cut_out(InodeId inode, ByteRange range, BlockSize block_size, Taken taken);

    std::map<Key, std::vector<LostStore>> open_;
    std::deque<LostStore> healed_;
    Counts counts_;
};

} // namespace partialfs::model
