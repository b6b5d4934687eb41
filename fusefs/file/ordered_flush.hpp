// A commit's flush of one file: the blocks that the filesystem writes by itself.
//
// The file is walked in ascending order. Of a page that only write(2) has changed, the bytes held
// here are written, and no others. A page with mapped stores is fetched from the kernel first,
// without a lock; if it has been written back, truncated or punched since, the copy may be older
// than the disk and is dropped. The blocks that the policy chooses are called clean and written; if
// that fails they are dirty again. PG_dirty and the writable mappings stay as they are.
#pragma once

#include "fusefs/file/disk_batch.hpp"
#include "fusefs/file/file_parts.hpp"
#include "fusefs/file/page_cache.hpp"
#include "fusefs/model/types.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace partialfs::file {

/// The result of a flush.
struct Flushed {
    std::uint64_t blocks = 0;
    std::uint64_t bytes = 0;
    int error = 0; ///< the first errno; see model::tries_again() for what becomes of the blocks
};

/// One flush, used once. Any thread, with no lock held; another flush of the file may run
/// meanwhile.
class OrderedFlush {
  public:
    OrderedFlush(FileParts& file, model::CommitId commit)
        : file_(file), policy_(file.policy()), commit_(commit) {}

    /// Flushes every block that the policy chooses. `dirty` are the pages found PG_dirty, whose
    /// bytes are fetched from `cache`.
    Flushed with_kernel(PageCache& cache, const PageSet& dirty);
    /// The same without asking the kernel: pages with mapped stores are skipped.
    Flushed without_kernel();
    /// The filesystem's own writepage of the pages that only write(2) has dirtied: by fsync under
    /// the policy ext3, by a commit under writeback.
    Flushed unmapped();

  private:
    class Uncleaned;

    struct Next {
        model::PageIndex page;
        bool told; ///< known to be PG_dirty: the kernel has bytes of it
    };
    /// The first page from `from` on that the policy flushes.
    [[nodiscard]] std::optional<Next> next(model::PageIndex from) const;
    /// Writes pages whose dirty blocks are all held here. Returns the page to continue with.
    model::PageIndex flush_held(model::PageIndex first);
    /// Flushes the pages of `dirty` from `first` on, as many as can be fetched at once. Returns the
    /// page to continue with.
    model::PageIndex flush_cached(PageCache& cache, const PageSet& dirty, model::PageIndex first);
    /// The same for one page that is known as PG_dirty but was not found so now: either its
    /// writeback is on the way to the daemon, or the kernel has dropped it without a request.
    model::PageIndex flush_doubtful(PageCache& cache, model::PageIndex page);
    /// Writes pages from a copy fetched from the kernel. Returns the page after the copy's last.
    model::PageIndex flush_retrieved(PageRange run,
                                     std::span<const std::optional<model::Generation>> generations,
                                     Epoch since, const base::Result<RetrievedPages>& fetched);
    /// Adds the copy's bytes of the blocks, and the held bytes of them beyond the copy's end.
    void lock_add_retrieved(DiskBatch& batch, model::PageIndex page, model::BlockMask blocks,
                            model::ByteRange copied, const RetrievedPages& copy)
        REQUIRES(file_.mutex);
    /// Adds the held bytes of the batch's blocks.
    void lock_add_held(DiskBatch& batch) REQUIRES(file_.mutex);
    /// Writes a batch that was filled with `lock` (of the file's mutex) held, and updates the state
    /// by the result. `cached`: the page cache has the bytes as well. Releases `lock` meanwhile.
    void write(DiskBatch& batch, bool cached, FileLock& lock) REQUIRES(file_.disk, file_.mutex);
    void lock_failed(const DiskBatch& batch) REQUIRES(file_.mutex);
    /// The common end of the three flushes. `look_again`: the next commit must look at the file.
    Flushed finish(bool look_again);

    FileParts& file_;
    const model::FlushPolicy policy_;
    const model::CommitId commit_;
    Flushed result_;
    bool left_over_ = false; ///< pages were passed over that the next flush must look at
};

} // namespace partialfs::file
