// The data of one regular file: block states, buffered bytes, and what is held back from the
// backing file until the data is there.
//
// Invariants, whenever the mutex is free:
// - A block is dirty if and only if memory has bytes of it that the disk must get: buffered here,
//   or (if the page is `told`) in the kernel's page cache.
// - backing_size_ <= size_; they differ while growth is held back. The backing file never shows a
//   size that covers bytes of a dirty block that has not been written.
// - What a reader gets is the backing file with buffers_ laid over it.
#pragma once

#include "fusefs/base/fd.hpp"
#include "fusefs/file/backing_file.hpp"
#include "fusefs/file/context.hpp"
#include "fusefs/file/error_sequence.hpp"
#include "fusefs/file/file_losses.hpp"
#include "fusefs/file/file_times.hpp"
#include "fusefs/file/page_cache.hpp"
#include "fusefs/file/page_hashes.hpp"
#include "fusefs/file/probe_window.hpp"
#include "fusefs/file/unsynced_writes.hpp"
#include "fusefs/file/write_buffer.hpp"
#include "fusefs/model/file_blocks.hpp"
#include "fusefs/model/types.hpp"

#include <sys/stat.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <vector>

namespace partialfs::file {

/// Every public function may be called by any thread and takes the file's mutex for as long as it
/// runs, unless it says otherwise. Lock order: the file's mutex, then the leaves that it calls
/// (ledger, trace, buffer pool). No two files' mutexes are held at once, and nobody waits for the
/// kernel with one held.
class FileData {
  public:
    /// `path_fd` (O_PATH) must outlive the object; `status` is its stat(2).
    FileData(model::InodeId id, const base::Fd& path_fd, const struct stat& status,
             Context& context);
    FileData(const FileData&) = delete;
    FileData& operator=(const FileData&) = delete;
    ~FileData() = default;

    /// Any thread, without a lock.
    [[nodiscard]] model::InodeId id() const { return id_; }

    // --- Open and close -----------------------------------------------------------------------

    /// A handle is being opened with these O_ flags (only the access mode and O_CREAT matter here):
    /// opens the backing file if need be. The errno of open(2) if that fails. The result is the
    /// handle's place in the sequence of writeback errors. `created`: the descriptor that the file
    /// has just been created with, if it has.
    base::Result<ErrorSequence::Position> opened(int flags, base::Fd created = {});
    /// The handle opened with these flags is gone.
    void released(int flags);
    /// The writeback error that this handle has not been told yet, as an errno, or 0.
    int check_error(ErrorSequence::Position& told);

    // --- Data ----------------------------------------------------------------------------------

    /// What a reader of the file sees. Returns the bytes read: fewer than asked for at EOF.
    /// `cached` says that the reader is the page cache, which so tells that it lacks these pages.
    base::Result<std::size_t> read(model::ByteOffset offset, std::span<std::byte> target,
                                   bool cached);
    /// A descriptor from which `range` can be read as it is, if nothing of it is held back; null if
    /// read() must be asked. `cached` as for read().
    std::shared_ptr<const base::Fd> read_source(model::ByteRange range, bool cached);
    /// Takes over the memory that a write(2) was received in; may only be called once, while the
    /// bytes passed along are valid.
    using TakeMemory = std::function<std::shared_ptr<Buffer>()>;
    /// write(2): the blocks become dirty, the bytes wait in the buffers. False if the dirty limit
    /// does not allow it now; nothing has happened then. Small writes are copied, large ones taken
    /// over with `take` (null if that gives none for want of budget).
    [[nodiscard]] bool write(model::ByteOffset offset, std::span<const std::byte> bytes,
                             const TakeMemory& take);
    /// How many of `length` bytes at `offset` may be written before the backing filesystem's
    /// largest file size; EFBIG if none. Asked before write(), which otherwise would take bytes
    /// that no flush can ever write. The application's own limit (RLIMIT_FSIZE) is the kernel's
    /// business.
    base::Result<std::size_t> within_largest_size(model::ByteOffset offset, std::size_t length);
    /// The kernel's writeback of `bytes`, which begin on a page boundary: writes the blocks that
    /// the contract lets be written and enters the rest in the ledger. If the backing file fails,
    /// the blocks are buffered and stay dirty, and the error waits for the application; the errno
    /// is returned only if there is no room for that.
    base::Result<void> writepage(model::ByteOffset offset, std::span<const std::byte> bytes);

    // --- Size and space ------------------------------------------------------------------------

    /// The file's size becomes `size` (setattr, O_TRUNC): drops or grows the data, its dirty state
    /// and the ledger's entries. Needs no handle.
    base::Result<void> truncate(model::ByteOffset size);
    /// fallocate(2) with its flags. EOPNOTSUPP for modes that move data.
    base::Result<void> allocate(int mode, model::ByteRange range);
    /// lseek(2) with SEEK_DATA or SEEK_HOLE, buffered data counted as data.
    base::Result<model::ByteOffset> seek(model::ByteOffset from, int whence);
    /// The file's size as programs see it.
    [[nodiscard]] model::ByteOffset size() const;

    // --- Attributes ----------------------------------------------------------------------------

    /// Puts what is held back (size, mtime, ctime, st_blocks) over `status`, a stat of the backing
    /// inode, so that it is what a stat of the file must say.
    void adjust(struct stat& status) const;
    /// utimensat(2) has just given the backing inode this mtime, and it is to stay.
    void mtime_was_set(const timespec& mtime);
    /// An operation that makes the inode dirty in the sense that fsync commits: chmod, chown,
    /// utimensat, link count, xattr.
    void attributes_changed();
    /// The kernel has dropped the file's pages from its cache, as reclaim would.
    void pages_evicted();
    /// The O_PATH descriptor of the backing file. Without a lock.
    [[nodiscard]] const base::Fd& path_fd() const { return path_fd_; }
    /// The last name of the file is gone (st_nlink is 0): the ledger's open entries are dropped,
    /// and dirty data as soon as no handle is open.
    void last_name_removed();

    // --- For the journal -----------------------------------------------------------------------

    /// Whether the file has something that a commit, or the memory of its losses, needs it for.
    /// If not, it is as if never enlisted: see enlist_once().
    [[nodiscard]] bool keep_enlisted();
    /// True the first time it is called after keep_enlisted() said no (or ever): the caller must
    /// then enlist the file with the journal. Without a lock.
    [[nodiscard]] bool enlist_once() {
        return !enlisted_.load(std::memory_order_relaxed) && !enlisted_.exchange(true);
    }
    /// Whether enlist_once() has said yes since keep_enlisted() said no. Without a lock.
    [[nodiscard]] bool enlisted() const { return enlisted_; }
    /// Whether a shared mapping may be storing into the file: a handle is open for reading and
    /// writing. (A mapping keeps its file open, so release comes after munmap.)
    [[nodiscard]] bool may_be_mapped() const;
    /// Whether a flush has to ask the kernel: for pages that a shared mapping may be storing into,
    /// or for the bytes of pages known PG_dirty.
    [[nodiscard]] bool needs_kernel() const;
    /// Whether a rename must wait for a flush: something of the file is not yet on disk.
    [[nodiscard]] bool needs_flush() const;

    /// To be called before looking for PG_dirty pages; learn_dirty() compares.
    void probe_begins();
    /// The pages that a probe found PG_dirty. Pages written back since probe_begins() are left out;
    /// nothing is learned if the file was truncated meanwhile. Returns how many were news.
    std::size_t learn_dirty(const PageSet& pages);
    /// Pages whose cached copy may have been stored into, as far as can be told without asking
    /// which are PG_dirty: pages read or written by the page cache and not known dirty. Only kept
    /// if the context says compare_pages.
    [[nodiscard]] PageSet compare_candidates() const;
    /// The cached bytes of a page, for pages of compare_candidates(): whether they differ from what
    /// they were at the last read, write or writepage. To be called between probe_begins() and
    /// learn_dirty().
    [[nodiscard]] bool differs(model::PageIndex page, std::span<const std::byte> bytes);

    /// What a flush has come to.
    struct Flushed {
        std::uint64_t blocks = 0;
        std::uint64_t bytes = 0;
        int error = 0; ///< the first errno; the blocks concerned are dirty again
    };
    /// A commit's flush of this file: every block that the policy chooses, in ascending order.
    /// `dirty` are the pages found PG_dirty, whose bytes are fetched from `cache`. Journal's thread
    /// only; takes and releases the mutex batch by batch.
    Flushed flush(PageCache& cache, const PageSet& dirty, model::CommitId commit);
    /// The same without asking the kernel, for a file of which needs_kernel() says no.
    Flushed flush_buffers(model::CommitId commit);
    /// fsync under the policy ext3: the filesystem's own writepage of the pages that only write(2)
    /// dirtied.
    Flushed write_back_unmapped();
    /// Whether fsync commits under the policy ext3. Clears it.
    [[nodiscard]] bool take_inode_dirty();
    /// The device of the filesystem that the backing file lies on. Without a lock.
    [[nodiscard]] dev_t device() const { return device_; }
    /// Whether the backing file has been written to since its last sync.
    [[nodiscard]] bool needs_sync() const;
    /// Asks the kernel to begin writing the backing file, without waiting.
    void start_sync();
    /// A sync of the whole filesystem begins.
    void whole_sync_begins();
    /// It has ended. `done`: without an error, which makes it as good as sync_data(); if not, that
    /// is to be called, and finds out whether the error is this file's.
    void whole_sync_ended(bool done);
    /// fdatasync(2) of the backing file if anything was written to it since the last one. If it
    /// fails, what was flushed is dirty again. The system call is made without the mutex.
    /// Journal's thread only.
    base::Result<void> sync_data();
    /// After sync_data(): lets size and mtime through to the backing inode; `durable` also makes
    /// changed attributes durable (fsync). Returns whether the backing inode's attributes have
    /// changed by it. Journal's thread only.
    base::Result<bool> let_metadata_through(bool durable);
    /// Whether a commit of the timer has anything to do for this file.
    [[nodiscard]] bool has_work() const;
    /// A failed flush or sync is told to handles; `asked` says that an application waits for it: a
    /// failure that repeats itself at every timer commit is told once.
    void report_failure(int error, bool asked);

    struct Gauge {
        std::size_t page_entries = 0;
        std::size_t extents = 0;
        bool dirty = false;
    };
    [[nodiscard]] Gauge gauge() const;

  private:
    struct FlushedPage {
        model::PageIndex page;
        model::BlockMask blocks;
        model::Generation generation; ///< 0 if the page's entry was gone after the flush
        bool told = false;
    };
    class Batch;
    /// One flush of the file, on its way from page to page.
    struct Pass {
        model::FlushPolicy policy;
        model::CommitId commit;
        Flushed result = {};
        bool left_over = false; ///< pages were passed over that the next flush must look at
    };

    /// The page cache reads pages: it had not got them, or has dropped them since.
    void note_read(model::ByteRange range);
    /// Without a handle: closes the backing file, at the latest when nothing of it is held back.
    void close_if_unused();
    /// The data has changed now: mtime and ctime follow.
    void touch_times();
    void learn_allocation(model::ByteRange range);
    base::Result<void> read_image(model::ByteOffset offset, std::span<std::byte> target);
    base::Result<void> grow(model::ByteOffset size);
    /// Writes buffered bytes that lie between the end of the backing file and `offset`, so that it
    /// can be extended by what follows. Their blocks stay dirty.
    base::Result<void> write_growth_below(model::ByteOffset offset);
    /// Writes to the backing file. What that makes of its size, of the ledger and of what the next
    /// sync is for follows.
    base::Result<void> put(int fd, model::ByteOffset offset, std::span<iovec> parts);
    void drop_everything_dirty();
    [[nodiscard]] bool ext3() const {
        return context_.policy.load(std::memory_order_relaxed) == model::FlushPolicy::ext3;
    }
    /// A sync of the data has succeeded. With the mutex held.
    void synced();
    /// Nothing is held back. With the mutex held.
    [[nodiscard]] bool lock_clean() const;

    /// Adds the buffered bytes of its blocks.
    void add_buffered(Batch& batch);
    /// The batch has been written, or has failed with `error`.
    void settle(Batch& batch, int error, model::CommitId commit, bool from_kernel, Flushed& result);
    /// Flushes the pages of `dirty` from `first` on, which lie in the kernel's page cache: as many
    /// as can be fetched at once. Releases `lock` meanwhile. Returns the page to go on with.
    model::PageIndex flush_cached(PageCache& cache, const PageSet& dirty, model::PageIndex first,
                                  std::unique_lock<std::mutex>& lock, Pass& pass);
    /// The same for one page that was found PG_dirty once and is so no more: either its writeback
    /// is on the way to us, or the kernel has dropped it without a word.
    model::PageIndex flush_doubtful(PageCache& cache, model::PageIndex page,
                                    std::unique_lock<std::mutex>& lock, Pass& pass);
    /// Writes pages from a copy of the kernel's, unless they have changed since. Returns the page
    /// after the last one that the copy has.
    model::PageIndex flush_retrieved(PageRange run,
                                     std::span<const std::optional<model::Generation>> generations,
                                     Epoch since, const base::Result<RetrievedPages>& fetched,
                                     Pass& pass);
    /// Writes pages whose dirty blocks are all in the buffers. Returns the page to go on with.
    model::PageIndex flush_run(model::PageIndex first, Pass& pass);

    const model::InodeId id_;
    const base::Fd& path_fd_;
    const dev_t device_;
    Context& context_;
    std::atomic<bool> enlisted_{false};

    mutable std::mutex mutex_; ///< guards all below
    mutable BackingFile file_; ///< open while there are handles, and while it is being written
    /// A size that the backing filesystem is known to allow; without the mutex. To begin with
    /// FAT's limit, the lowest there is.
    std::atomic<std::uint64_t> allowed_size_{(std::uint64_t{4} << 30U) - 1};
    model::FileBlocks blocks_;
    WriteBuffer buffers_;
    /// Bytes flushed but not synced: taken back into buffers_ if the sync fails.
    WriteBuffer in_flight_;
    std::vector<FlushedPage> flushed_;
    UnsyncedWrites unsynced_;
    Epoch epoch_{1};
    model::ByteOffset size_;
    model::ByteOffset backing_size_;
    FileTimes times_;
    bool sparse_ = false; ///< the backing file may have holes
    int handles_ = 0;
    int mappable_handles_ = 0;
    bool metadata_unsynced_ = false; ///< attributes or a held-back size since the last fsync
    bool inode_dirty_ = false;       ///< fsync commits (ext3)
    bool flushable_ = false;         ///< something happened since the last flush found nothing
    bool nameless_ = false;
    FileLosses losses_;
    int failing_ = 0; ///< the errno with which writes to the backing file keep failing
    ErrorSequence errors_;
    /// Pages whose first read does not say that they were evicted: a write(2) made them partly.
    std::set<model::PageIndex> partial_;
    ProbeWindow probe_;
    PageHashes hashes_;
};

} // namespace partialfs::file
