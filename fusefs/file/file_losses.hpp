// One file's lost stores: found by a writepage that passes blocks over, or whose bytes the disk
// refuses; healed by what is written later.
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

/// Compares with the disk before it says anything, so that the ledger has neither too much nor too
/// little. Thread-safe; note(), healed_by() and heal() read the disk, and are called by whoever
/// changes it (see FileParts::disk), one at a time.
class FileLosses {
  public:
    /// `file` is the backing file, and outlives this.
    FileLosses(model::InodeId inode, BackingFile& file, Context& context)
        : inode_(inode), file_(file), context_(context) {}
    FileLosses(const FileLosses&) = delete;
    FileLosses& operator=(const FileLosses&) = delete;
    /// The ledger's open entries are dropped: nobody can ask for this inode again.
    ~FileLosses() { forget(); }

    /// Whether the ledger may have open entries.
    [[nodiscard]] bool any() const { return any_; }
    /// The same, having asked the ledger.
    bool still_any();
    /// Whether a byte of `range` is in an open entry of the ledger.
    [[nodiscard]] bool any_in(model::ByteRange range) const;

    /// The page cache reads these pages.
    void pages_read(model::ByteRange range);

    /// Blocks of a page that a writepage has passed over.
    struct PassedOver {
        model::PageIndex page;
        model::BlockMask blocks;
        std::array<model::CommitId, 8> cleaned_by; ///< the commit that cleaned each of them
    };
    /// `bytes` is what the kernel wrote back, from `begin` on. Blocks that differ from the disk get
    /// entries in the ledger; those that cannot be compared as well.
    void note(const PassedOver& passed, model::ByteOffset begin, std::span<const std::byte> bytes);

    /// The kernel has written these bytes back, the disk refused them with this errno, and they are
    /// not kept to be written later. They get entries in the ledger, and are healed as the others.
    /// To be called once for each such range of a writepage.
    void refused(model::ByteRange range, int error);

    /// The same of the kernel's or a flush's `bytes` at `begin`, which stay called clean: what of
    /// them the disk has nevertheless is not lost. Reads the disk.
    void refused_for_good(model::ByteOffset begin, std::span<const std::byte> bytes, int error);

    /// What memory holds of bytes that a rule of faults has left out.
    enum class Held : std::uint8_t {
        these, ///< if anything, these very bytes
        older, ///< if anything, bytes that came before them: writing those brings nothing back
    };
    /// A rule of faults has left these bytes out, ascending. They get entries in the ledger, and
    /// are healed as the others. `error`: what the kernel was answered, 0 if it was success.
    void left_out(std::span<const model::ByteRange> lost, int error, Held held);
    /// ... or a change of the size.
    void left_out_size(model::LostSize size);
    /// Newer bytes have come for `range`, or what was held of it is written: Held::older ends.
    void replaced(model::ByteRange range);

    /// What of the open entries a write of `parts` at `begin` will heal. All of it, while the page
    /// has been in the page cache since the loss. Of a page read again since then, only the bytes
    /// that the disk has not got already: rewriting what the disk had brings no lost store back.
    /// To be asked before the write.
    [[nodiscard]] std::vector<model::ByteRange> healed_by(model::ByteOffset begin,
                                                          std::span<const iovec> parts);
    /// The write has been done.
    void heal(std::span<const model::ByteRange> ranges);

    /// The bytes have been punched out.
    void drop(model::ByteRange range);
    void truncate(model::ByteOffset size);
    /// The file has lost its last name: nothing of it counts any more.
    void forget();
    /// A power cut has made the losses of the file at `path` final: the ledger keeps them when the
    /// file goes.
    void settle(std::string_view path);

  private:
    /// A writepage has just brought the page: if nothing of it is open, what now gets lost of it is
    /// in the page cache.
    void is_in_memory(model::PageIndex page);

    const model::InodeId inode_;
    BackingFile& file_;
    Context& context_;
    std::atomic<bool> any_{false};
    [[nodiscard]] bool was_reread(model::PageIndex page) const;

    mutable base::Mutex mutex_; ///< a leaf
    /// Pages with lost stores that the page cache has read again since: they were evicted, and the
    /// stores are gone from memory, too.
    std::set<model::PageIndex> reread_ GUARDED_BY(mutex_);
    /// Held::older, ascending.
    std::vector<model::ByteRange> older_held_ GUARDED_BY(mutex_);
};

} // namespace partialfs::file
