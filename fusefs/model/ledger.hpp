// The ledger of lost stores: which bytes in the page cache the disk will never see.
//
// At each writepage the filesystem compares the blocks that it passes over with what is on disk.
// What differs is lost unless somebody writes the block again, which heals it. What the disk
// refused to take is lost in the same way.
//
// What one writepage lost of one page is one batch: a cause, and pieces of six bytes each. Each
// inode lists its batches by page, and the batches are ordered by the numbers of their entries, so
// that a reader can go through them in the order of discovery, a few at a time.
//
// Pure: times and paths are passed in. Not thread-safe: the owner guards it with its own mutex.
#pragma once

#include "fusefs/base/enum_names.hpp"
#include "fusefs/model/byte_ranges.hpp"
#include "fusefs/model/types.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace partialfs::model {

/// Why bytes that are right in memory are stale on disk.
enum class LossKind : std::uint8_t {
    contract, ///< writepage passed over their block, which it took for clean under the contract
    refused,  ///< writepage brought them, and the disk did not take them
    cut,      ///< a power cut took them: from memory, or from the cache of the disk
    fault,    ///< a rule of faults left them out: somebody was told that they are written, or the
              ///< kernel (an errno) that they are not, which then forgets that they are dirty
};
inline constexpr std::array kLossKinds{
    base::EnumName{LossKind::contract, "contract"},
    base::EnumName{LossKind::refused, "refused"},
    base::EnumName{LossKind::cut, "cut"},
    base::EnumName{LossKind::fault, "fault"},
};
constexpr const auto& enum_names(LossKind) {
    return kLossKinds;
}
using base::name_of;

/// What the bytes that were lost together have in common.
struct Loss {
    LossKind kind = LossKind::contract;
    int error = 0;            ///< refused: the errno of the disk; fault: the kernel's; or 0
    CommitId cleaned_by{};    ///< contract: the commit whose ordered flush called the block clean
    Nanoseconds cleaned_at{}; ///< when that was
    Nanoseconds lost_at{};    ///< when writepage passed over the block, or the disk refused it

    bool operator==(const Loss&) const = default;
};

/// A file's size that a power cut took, or that a rule of faults left out.
struct LostSize {
    ByteOffset was; ///< as programs saw it, or asked for
    ByteOffset is;  ///< on disk

    bool operator==(const LostSize&) const = default;
};

/// One entry: a range of bytes, inside one block, that is right in memory and stale on disk.
struct LostStore {
    std::uint64_t number = 0; ///< counted from 1, in the order of discovery
    InodeId inode;
    std::string path; ///< relative to the mount, as it was when the inode's first loss was found
    ByteRange bytes;  ///< in the file; of a lost size none, at the lower of the two
    Loss loss;
    std::optional<Nanoseconds> healed_at; ///< when the bytes were written after all
    std::optional<LostSize> size{};       ///< it is a size that is lost
    /// The file is no more, by a power cut: `path` is the one it had then.
    bool settled = false;

    bool operator==(const LostStore&) const = default;
};

/// Where a reader of the ledger goes on: at the first entry of this number that begins at `begin`
/// or later, or else at the next number.
struct LedgerPosition {
    std::uint64_t number = 0;
    ByteOffset begin{};

    auto operator<=>(const LedgerPosition&) const = default;
    static LedgerPosition after(const LostStore& entry) {
        return entry.size ? LedgerPosition{entry.number + 1, {}}
                          : LedgerPosition{entry.number, entry.bytes.end};
    }
};

class Ledger {
  public:
    /// How many open entries are kept; what is lost beyond that is only counted. Open entries take
    /// at most 240 bytes of memory each (one in a page), and 6 where they are dense.
    static constexpr std::size_t kOpenKept = 1'048'576;
    /// How many healed entries are kept, the latest discovered ones; older ones are only counted.
    static constexpr std::size_t kHealedKept = 65536;

    struct Counts {
        std::uint64_t recorded = 0; ///< entries ever made
        std::uint64_t open = 0;     ///< lost and not healed
        std::uint64_t open_bytes = 0;
        std::uint64_t healed = 0;
        std::uint64_t dropped = 0; ///< parts of entries truncated, punched or unlinked away
        /// Lost while the ledger was full: what would have been an entry each time it was found.
        std::uint64_t not_kept = 0;
        std::uint64_t not_kept_bytes = 0;

        bool operator==(const Counts&) const = default;
    };

    /// `open_kept` is only less than kOpenKept in tests.
    explicit Ledger(BlockSize block_size, std::size_t open_kept = kOpenKept)
        : block_size_(block_size), open_kept_(open_kept) {}

    /// Bytes have been lost together: `lost` are their ranges, ascending, of any length. They get
    /// entries block by block; ranges that touch inside a block get one. What was known before
    /// keeps its entry, with number and time. An entry whose bytes no longer differ stays open:
    /// that the page has the disk's bytes now says that it was evicted and read again, not that the
    /// store came back; only heal() closes it. `path` is the file's, used if the ledger
    /// has_path() of none. What throws std::bad_alloc leaves the ledger as it was, or with the
    /// entries of the first pages.
    void record(InodeId inode, std::string_view path, const Loss& loss,
                std::span<const ByteRange> lost);
    /// A size is lost. Such an entry is never healed; one of a fault is dropped when the file is
    /// truncated or gone.
    void record_size(InodeId inode, std::string_view path, const Loss& loss, LostSize size);
    /// The bytes of `range` have been written to disk: what is open of them is healed. An entry
    /// that lies partly inside is cut: the part outside stays open, under the same number.
    void heal(InodeId inode, ByteRange range, Nanoseconds now);
    /// The bytes of `range` are gone (punch): open entries are cut to what lies outside.
    void drop(InodeId inode, ByteRange range);
    /// The file has become `size` bytes long: open entries are cut off there.
    void truncate(InodeId inode, ByteOffset size);
    /// A power cut has ended the file at `path`: what is open of it stays so.
    void settle(InodeId inode, std::string_view path);
    /// The inode is gone: all its open entries are dropped.
    void forget(InodeId inode);

    [[nodiscard]] Counts counts() const { return counts_; }
    [[nodiscard]] bool has_path(InodeId inode) const { return inodes_.contains(inode); }
    [[nodiscard]] bool has_open(InodeId inode) const;
    /// Whether a byte of `range` is in an open entry.
    [[nodiscard]] bool has_open(InodeId inode, ByteRange range) const;
    /// Open and healed entries from `from` on up to the number `last`, in the order of discovery:
    /// the first `most` of them, in time proportional to that.
    [[nodiscard]] std::vector<LostStore>
    read(LedgerPosition from = {}, std::uint64_t last = std::numeric_limits<std::uint64_t>::max(),
         std::size_t most = std::numeric_limits<std::size_t>::max()) const;

  private:
    /// Part of an entry that is open: bytes of the batch's page, and the number after the batch's.
    struct Piece {
        std::uint16_t begin;
        std::uint16_t end;
        std::uint16_t number;
    };
    /// What was lost of one page together. Never empty.
    struct Batch {
        InodeId inode;
        PageIndex page;
        Loss loss;
        std::vector<Piece> pieces; ///< ascending, by number as well
    };
    /// Batches by the number of their first entry. Numbers of two batches never interleave.
    using Batches = std::map<std::uint64_t, Batch>;
    struct OfSize {
        InodeId inode;
        std::string path;
        Loss loss;
        LostSize size;
    };
    struct Healed {
        InodeId inode;
        ByteOffset end;
        Loss loss;
        Nanoseconds healed_at;
    };
    /// Kept while the inode has an entry, open or healed.
    struct OfInode {
        std::string path;
        std::set<std::pair<PageIndex, std::uint64_t>> batches; ///< by page and first number
        std::size_t healed = 0;
        bool settled = false;
    };

    static ByteRange bytes_of(const Batch& batch, Piece piece);
    /// record() for ranges of one page, each inside a block.
    void record_in_page(InodeId inode, std::string_view path, const Loss& loss,
                        std::span<const ByteRange> lost);
    /// What is open of a page, ascending.
    [[nodiscard]] std::vector<ByteRange> open_in_page(InodeId inode, PageIndex page) const;
    /// What of `lost`, ranges of one page, is in no open entry.
    [[nodiscard]] std::vector<ByteRange> news(InodeId inode, std::span<const ByteRange> lost) const;
    /// Takes `range` out of all open entries; calls `taken(batch, number, bytes)` with each part.
    template <typename Taken>
    void cut_out(InodeId inode, ByteRange range, Taken taken);
    template <typename Taken>
    void cut_batch(Batches::value_type& batch, ByteRange range, Taken taken);
    void keep_healed(LedgerPosition position, Healed healed);
    /// Frees what is known of an inode that has no entry any more.
    void release_if_empty(InodeId inode);

    BlockSize block_size_;
    std::size_t open_kept_;
    std::map<InodeId, OfInode> inodes_;
    Batches batches_;
    std::map<LedgerPosition, Healed> healed_;
    std::map<std::uint64_t, OfSize> sizes_; ///< by their number
    /// The numbers of those that a fault left out.
    std::map<InodeId, std::vector<std::uint64_t>> sizes_left_out_;
    Counts counts_;
};

} // namespace partialfs::model
