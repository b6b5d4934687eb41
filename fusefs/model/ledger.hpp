// The ledger of lost stores: which bytes in the page cache the disk will never see.
//
// At each writepage the filesystem compares the blocks that it passes over with the disk. Bytes
// that differ are lost, unless the block is written again, which heals them. Bytes that the disk
// refused are lost in the same way.
//
// The bytes of one page that one writepage lost are one batch: a cause, and pieces of six bytes
// each. Each inode lists its batches by page. The batches are ordered by the numbers of their
// entries, so that a reader can go through them in the order of discovery, a few at a time.
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
    contract, ///< writepage passed over their block, which was clean under the contract
    refused,  ///< the disk did not take them, and they are not tried again
    cut,      ///< a power cut took them: from memory, or from the cache of the disk
    fault,    ///< a rule of faults left them out: success was reported, or the kernel got an errno
              ///< and forgot that they are dirty
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

/// What bytes that were lost together have in common.
struct Loss {
    LossKind kind = LossKind::contract;
    int error = 0;            ///< refused: the disk's errno; fault: the errno that the kernel got
    CommitId cleaned_by{};    ///< contract: the commit whose ordered flush called the block clean
    Nanoseconds cleaned_at{}; ///< when that was
    Nanoseconds lost_at{};    ///< when they were lost: at the writepage, error, cut or fault

    bool operator==(const Loss&) const = default;
};

/// A change of a file's size that a power cut undid, or that a rule of faults left out.
struct LostSize {
    ByteOffset was; ///< as programs saw it, or asked for it
    ByteOffset is;  ///< on disk

    bool operator==(const LostSize&) const = default;
};

/// One entry: a range of bytes, inside one block, that is right in memory and stale on disk.
struct LostStore {
    std::uint64_t number = 0; ///< counted from 1, in the order of discovery
    InodeId inode;
    std::string path; ///< relative to the mount, as it was when the inode's first loss was found
    ByteRange bytes;  ///< in the file; for a lost size empty, at the lower of the two sizes
    Loss loss;
    std::optional<Nanoseconds> healed_at; ///< when the bytes were written after all
    std::optional<LostSize> size{};       ///< set if a size is lost
    /// A power cut has ended the file; `path` is the path it had then.
    bool settled = false;

    bool operator==(const LostStore&) const = default;
};

/// Where a reader of the ledger continues: at the first entry with this number that begins at
/// `begin` or later, or else at the next number.
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
    /// How many open entries are kept; losses beyond that are only counted. An open entry takes up
    /// to 240 bytes of memory (one in a page), and 6 where they are dense.
    static constexpr std::size_t kOpenKept = 1'048'576;
    /// How many healed entries are kept, those discovered last; older ones are only counted.
    static constexpr std::size_t kHealedKept = 65536;

    struct Counts {
        std::uint64_t recorded = 0; ///< entries ever made
        std::uint64_t open = 0;     ///< lost and not healed
        std::uint64_t open_bytes = 0;
        std::uint64_t healed = 0;
        std::uint64_t dropped = 0; ///< parts of entries truncated, punched or unlinked away
        /// Losses found while the ledger was full; the same bytes count each time they are found.
        std::uint64_t not_kept = 0;
        std::uint64_t not_kept_bytes = 0;

        bool operator==(const Counts&) const = default;
    };

    /// `open_kept` is only less than kOpenKept in tests.
    explicit Ledger(BlockSize block_size, std::size_t open_kept = kOpenKept)
        : block_size_(block_size), open_kept_(open_kept) {}

    /// Records bytes that have been lost together: `lost` are their ranges, ascending, of any
    /// length. Each block gets its own entries; ranges that touch inside a block get one. Bytes
    /// that have an open entry keep it, with its number and time. An entry whose bytes no longer
    /// differ stays open, as that only means that the page was evicted and read from the disk; only
    /// heal() closes it. `path` is the file's, used for the inode's first entry. If it throws
    /// std::bad_alloc, the ledger is as before, or has the entries of the first pages.
    void record(InodeId inode, std::string_view path, const Loss& loss,
                std::span<const ByteRange> lost);
    /// Records that a size is lost. Such an entry is never healed; one of LossKind::fault is
    /// dropped when the file is truncated or gone.
    void record_size(InodeId inode, std::string_view path, const Loss& loss, LostSize size);
    /// The bytes of `range` have been written to disk: open entries of them are healed. Of an entry
    /// that lies partly inside, the part outside stays open, under the same number.
    void heal(InodeId inode, ByteRange range, Nanoseconds now);
    /// The bytes of `range` are gone (punch): open entries keep only the part outside.
    void drop(InodeId inode, ByteRange range);
    /// The file has become `size` bytes long: open entries keep only the part before that.
    void truncate(InodeId inode, ByteOffset size);
    /// A power cut has ended the file at `path`: its open entries stay open.
    void settle(InodeId inode, std::string_view path);
    /// The inode is gone: all its open entries are dropped.
    void forget(InodeId inode);

    [[nodiscard]] Counts counts() const { return counts_; }
    [[nodiscard]] bool has_path(InodeId inode) const { return inodes_.contains(inode); }
    [[nodiscard]] bool has_open(InodeId inode) const;
    /// Whether a byte of `range` is in an open entry.
    [[nodiscard]] bool has_open(InodeId inode, ByteRange range) const;
    /// Open and healed entries from `from` up to the number `last`, in the order of discovery; at
    /// most `most`, to which its time is proportional.
    [[nodiscard]] std::vector<LostStore>
    read(LedgerPosition from = {}, std::uint64_t last = std::numeric_limits<std::uint64_t>::max(),
         std::size_t most = std::numeric_limits<std::size_t>::max()) const;

  private:
    /// An open entry, or the open part of one: offsets in the batch's page, and the entry's number
    /// minus that of the batch.
    struct Piece {
        std::uint16_t begin;
        std::uint16_t end;
        std::uint16_t number;
    };
    /// Bytes of one page that were lost together. Never empty.
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
    /// Of one inode; kept while it has an entry, open or healed.
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
    /// The bytes of a page that are in open entries, ascending.
    [[nodiscard]] std::vector<ByteRange> open_in_page(InodeId inode, PageIndex page) const;
    /// The bytes of `lost`, ranges of one page, that are in no open entry.
    [[nodiscard]] std::vector<ByteRange> news(InodeId inode, std::span<const ByteRange> lost) const;
    /// Takes `range` out of all open entries; calls `taken(batch, number, bytes)` for each part.
    template <typename Taken>
    void cut_out(InodeId inode, ByteRange range, Taken taken);
    template <typename Taken>
    void cut_batch(Batches::value_type& batch, ByteRange range, Taken taken);
    void keep_healed(LedgerPosition position, Healed healed);
    /// Frees the OfInode of an inode that has no entry any more.
    void release_if_empty(InodeId inode);

    BlockSize block_size_;
    std::size_t open_kept_;
    std::map<InodeId, OfInode> inodes_;
    Batches batches_;
    std::map<LedgerPosition, Healed> healed_;
    std::map<std::uint64_t, OfSize> sizes_; ///< by the number of their entry
    /// The numbers of the sizes that a fault left out.
    std::map<InodeId, std::vector<std::uint64_t>> sizes_left_out_;
    Counts counts_;
};

} // namespace partialfs::model
