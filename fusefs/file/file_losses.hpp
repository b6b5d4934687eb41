// One file's lost stores: found when a writepage passes over blocks or the disk refuses bytes, and
// healed by later writes.
#pragma once

#include "fusefs/base/mutex.hpp"
#include "fusefs/file/backing_file.hpp"
#include "fusefs/file/context.hpp"
#include "fusefs/model/ledger.hpp"
#include "fusefs/model/types.hpp"

#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string_view>
#include <vector>

namespace partialfs::file {

/// Compares bytes with the disk before it enters them, so that the ledger is exact. Thread-safe;
/// note(), refused_for_good() and healed_by() read the disk, and these and heal() are called with
/// FileParts::disk held.
class FileLosses {
  public:
    /// `file` is the backing file, and outlives this.
    FileLosses(model::InodeId inode, BackingFile& file, Context& context)
        : inode_(inode), file_(file), context_(context) {}
    FileLosses(const FileLosses&) = delete;
    FileLosses& operator=(const FileLosses&) = delete;
    /// Drops the ledger's open entries: this inode's number is not used again.
    ~FileLosses() { forget(); }

    /// Whether the ledger may have open entries.
    [[nodiscard]] bool any() const { return any_; }
    /// The same, after asking the ledger.
    bool still_any();
    /// Whether a byte of `range` is in an open entry of the ledger.
    [[nodiscard]] bool any_in(model::ByteRange range) const;

    /// To be called when the page cache reads these pages.
    void pages_read(model::ByteRange range);

    /// Blocks of a page that a writepage has passed over.
    struct PassedOver {
        model::PageIndex page;
        model::BlockMask blocks;
        std::array<model::CommitId, 8> cleaned_by; ///< the commit that cleaned each of them
    };
    /// `bytes` are those that the kernel wrote back, from `begin` on. Bytes of the blocks that
    /// differ from the disk get entries in the ledger, and so do blocks that cannot be compared.
    void note(const PassedOver& passed, model::ByteOffset begin, std::span<const std::byte> bytes);

    /// The disk has refused these bytes with this errno, and they are not kept to be written later.
    /// They get entries in the ledger, which are healed like others. To be called once for each
    /// such range.
    void refused(model::ByteRange range, int error);

    /// As refused(), for `bytes` at `begin` of a writepage or a flush that stay called clean. Bytes
    /// that the disk has nevertheless are not entered. Reads the disk.
    void refused_for_good(model::ByteOffset begin, std::span<const std::byte> bytes, int error);

    /// Which bytes memory may still hold where a rule of faults has left some out.
    enum class Held : std::uint8_t {
        these, ///< the bytes that were left out: writing them heals the loss
        older, ///< only bytes from before them: writing those heals nothing
    };
    /// A rule of faults has left these ranges out, ascending. They get entries in the ledger, which
    /// are healed like others. `error`: the errno that the kernel got, 0 for success.
    void left_out(std::span<const model::ByteRange> lost, int error, Held held);
    /// A rule of faults has left out a change of the size.
    void left_out_size(model::LostSize size);
    /// Newer bytes have come for `range`, or the held ones have been written: ends Held::older.
    void replaced(model::ByteRange range);

    /// The ranges whose open entries a write of `parts` at `begin` will heal: all of the write, for
    /// a page that has stayed in the page cache since the loss. For a page that was read again
    /// since, only bytes that differ from the disk: rewriting the disk's bytes brings no lost store
    /// back. To be called before the write.
    [[nodiscard]] std::vector<model::ByteRange> healed_by(model::ByteOffset begin,
                                                          std::span<const iovec> parts);
    /// Heals the ranges that healed_by() has returned, after the write.
    void heal(std::span<const model::ByteRange> ranges);

    /// The bytes have been punched out.
    void drop(model::ByteRange range);
    void truncate(model::ByteOffset size);
    /// The file has lost its last name: its losses do not count any more.
    void forget();
    /// A power cut has made the losses of the file at `path` final: the ledger keeps them when the
    /// inode is gone.
    void settle(std::string_view path);

  private:
    /// To be called before a loss in the page is entered: if the page has no open entry, it counts
    /// as not read again, as the lost bytes are in the page cache.
    void is_in_memory(model::PageIndex page);

    const model::InodeId inode_;
    BackingFile& file_;
    Context& context_;
    std::atomic<bool> any_{false};
    [[nodiscard]] bool was_reread(model::PageIndex page) const;

    mutable base::Mutex mutex_; ///< a leaf
    /// Pages with lost stores that the page cache has read again since: they had been evicted, so
    /// the stores are gone from memory, too.
    std::set<model::PageIndex> reread_ GUARDED_BY(mutex_);
    /// The ranges for which Held::older applies, ascending.
    std::vector<model::ByteRange> older_held_ GUARDED_BY(mutex_);
};

} // namespace partialfs::file
