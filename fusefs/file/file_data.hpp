// The data of one regular file, as requests and the journal use it.
//
// Joins the parts: what is held for the disk, the block states, the backing file. See
// file_parts.hpp for the locks and the invariants, ordered_flush.hpp and writeback.hpp for the two
// stories.
#pragma once

#include "fusefs/base/fd.hpp"
#include "fusefs/file/durability.hpp"
#include "fusefs/file/error_sequence.hpp"
#include "fusefs/file/file_parts.hpp"
#include "fusefs/file/ordered_flush.hpp"
#include "fusefs/file/page_cache.hpp"
#include "fusefs/model/types.hpp"

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>

namespace partialfs::file {

/// Every function may be called by any thread, with no lock of the file's held.
class FileData {
  public:
    /// `path_fd` (O_PATH) must outlive the object; `status` is its stat(2).
    FileData(model::InodeId id, const base::Fd& path_fd, const struct stat& status,
             Context& context)
        : parts_(id, path_fd, status, context), device_(status.st_dev) {}
    FileData(const FileData&) = delete;
    FileData& operator=(const FileData&) = delete;
    ~FileData() = default;

    [[nodiscard]] model::InodeId id() const { return parts_.id; }
    /// The O_PATH descriptor of the backing file.
    [[nodiscard]] const base::Fd& path_fd() const { return parts_.backing.path_fd(); }

    // --- Requests -----------------------------------------------------------------------------

    /// A handle is being opened with these O_ flags (the access mode, O_CREAT and O_APPEND matter):
    /// opens the backing file if need be. The errno of open(2) if that fails. The result is the
    /// handle's place in the sequence of writeback errors. `created`: the descriptor that the file
    /// has just been created with, if it has.
    base::Result<ErrorSequence::Position> opened(int flags, base::Fd created = {});
    /// The handle opened with these flags is gone. Whether no handle is left that can write.
    bool released(int flags);
    /// The writeback error that this handle has not been told yet, as an errno, or 0.
    int check_error(ErrorSequence::Position& told);

    /// What a reader of the file sees. Returns the bytes read: fewer than asked for at EOF.
    /// `cached` says that the reader is the page cache, which so tells that it lacks these pages.
    base::Result<std::size_t> read(model::ByteOffset offset, std::span<std::byte> target,
                                   bool cached);
    /// A descriptor from which `range` can be read as it is, if nothing of it is held back; null if
    /// read() must be asked. `cached` as for read().
    BackingFile::Handle read_source(model::ByteRange range, bool cached);

    using TakeMemory = HeldBytes::TakeMemory;
    /// What a write(2) has gone through on its way here.
    enum class Via : std::uint8_t {
        page_cache, ///< which has the bytes, too
        direct,     ///< nothing (O_DIRECT)
    };
    /// write(2): the blocks become dirty, the bytes wait in memory. False if the dirty limit does
    /// not allow it now; nothing has happened then. Small writes are copied, large ones taken over
    /// with `take`.
    [[nodiscard]] bool write(model::ByteOffset offset, std::span<const std::byte> bytes, Via via,
                             const TakeMemory& take);
    /// The same when memory or the disk is short: the bytes go to the disk at once, which may
    /// refuse them (ENOSPC, EDQUOT, EIO), and wait in memory as well, for the block states are
    /// those of any write(2). Returns how many bytes the disk took, at least one.
    base::Result<std::size_t> write_through(model::ByteOffset offset,
                                            std::span<const std::byte> bytes, Via via);
    /// How many of `length` bytes at `offset` may be written before the backing filesystem's
    /// largest file size; EFBIG if none. Asked before write(), which otherwise would take bytes
    /// that no flush can ever write. The application's own limit (RLIMIT_FSIZE) is the kernel's
    /// business.
    base::Result<std::size_t> within_largest_size(model::ByteOffset offset, std::size_t length);
    /// The kernel's writeback. See Writeback.
    base::Result<void> writepage(model::ByteOffset offset, std::span<const std::byte> bytes);

    /// See resize.hpp.
    base::Result<void> truncate(model::ByteOffset size);
    base::Result<void> allocate(int mode, model::ByteRange range);
    base::Result<model::ByteOffset> seek(model::ByteOffset from, int whence,
                                         const std::optional<PageSet>& stored);
    /// The pages that mapped stores have made PG_dirty and that no writeback has brought yet: for
    /// seek(). Nothing if that cannot be told without waiting for the kernel; look() then waits.
    [[nodiscard]] std::optional<PageSet> stored_pages(PageCache& cache) const;
    /// The file's size as programs see it.
    [[nodiscard]] model::ByteOffset size() const;

    /// What stat(2) must say of the file: the backing inode's attributes with what is held back
    /// laid over them (size, times, st_blocks), all of one moment. The errno of fstat(2). `cache`
    /// is asked for pages stored into, as st_blocks counts them.
    base::Result<struct stat> attributes(PageCache& cache);
    /// Whether attributes() would not know how much space mapped stores will take, as nobody has
    /// looked lately and `cache` cannot tell at once: the caller may look() first.
    [[nodiscard]] bool wants_look(PageCache& cache) const;
    /// The same pages, having asked the kernel and waited for it; nothing if it has no answer.
    std::optional<PageSet> look(PageCache& cache);
    /// utimensat(2): access time, then modification time.
    base::Result<void> set_times(const std::array<timespec, 2>& times, PageCache& cache);
    /// An operation that makes the inode dirty in the sense that fsync commits: chmod, chown,
    /// utimensat, link count, xattr.
    void attributes_changed();
    /// The kernel has dropped the file's pages from its cache, as reclaim would.
    void pages_evicted();
    /// The last name of the file is gone (st_nlink is 0): the ledger's open entries are dropped.
    void last_name_removed();
    /// Nobody can reach the file any more: no name, no handle, and the kernel has forgotten it.
    /// What is held back is given up.
    void abandon_if_nameless();

    // --- Journal ------------------------------------------------------------------------------

    /// True once: the caller must then enter the file in the running transaction.
    [[nodiscard]] bool join_once() {
        return !joined_.load(std::memory_order_relaxed) && !joined_.exchange(true);
    }
    [[nodiscard]] bool joined() const { return joined_; }
    /// The transaction commits: what changes from now on is of the next one.
    void left() { joined_ = false; }
    /// What a commit has still to do for the file, or must remember it for.
    struct Keep {
        bool joined; ///< something is held back: the next commit has to look again
        bool known;  ///< a mapping may store into it, or the ledger has losses of it
    };
    [[nodiscard]] Keep keep();

    /// Whether a shared mapping may be storing into the file: a handle is open for reading and
    /// writing. (A mapping keeps its file open, so release comes after munmap.)
    [[nodiscard]] bool may_be_mapped() const;
    /// Whether the way to it in our own mount is to be kept open: that, and it has a name.
    [[nodiscard]] bool wants_way() const { return may_be_mapped() && !parts_.nameless; }
    /// Whether a flush has to ask the kernel: for pages that a shared mapping may be storing into,
    /// or for the bytes of pages known PG_dirty.
    [[nodiscard]] bool needs_kernel() const;
    /// Whether a rename must wait for a flush: something of the file is not yet on disk.
    [[nodiscard]] bool needs_flush() const;
    /// Whether its attributes may change without a request of the kernel's.
    [[nodiscard]] bool in_motion() const { return needs_flush(); }

    /// The pages that a commit could flush and of which it must know whether they are PG_dirty.
    /// Under ext3 those on the ordered list, under eager all, under writeback none. A look for
    /// PG_dirty pages begins; learn_dirty() ends it.
    [[nodiscard]] PageSet probe_begins();
    /// The pages that a probe found PG_dirty. Pages written back since probe_begins() are left out;
    /// nothing is learned if the file was truncated meanwhile. Returns how many were news.
    std::size_t learn_dirty(const PageSet& pages);
    /// Of `pages`, those whose cached copy may have been stored into as far as can be told without
    /// asking which are PG_dirty. Only kept if the context says compare_pages.
    [[nodiscard]] PageSet compare_candidates(const PageSet& pages) const;
    /// The cached bytes of a page, for pages of compare_candidates(): whether they differ from what
    /// they were at the last read, write or writepage. To be called between probe_begins() and
    /// learn_dirty().
    [[nodiscard]] bool differs(model::PageIndex page, std::span<const std::byte> bytes);

    /// A commit's flush of this file. See OrderedFlush.
    Flushed flush(PageCache& cache, const PageSet& dirty, model::CommitId commit) {
        return OrderedFlush(parts_, commit).with_kernel(cache, dirty);
    }
    Flushed flush_buffers(model::CommitId commit) {
        return OrderedFlush(parts_, commit).without_kernel();
    }
    Flushed write_back_unmapped() { return OrderedFlush(parts_, model::CommitId{0}).unmapped(); }
    /// Whether fsync commits under the policy ext3. Clears it.
    [[nodiscard]] bool take_inode_dirty();
    /// The device of the filesystem that the backing file lies on.
    [[nodiscard]] dev_t device() const { return device_; }
    /// Whether the backing file has been written to since its last sync.
    [[nodiscard]] bool needs_sync() const;
    /// Asks the kernel to begin writing the backing file, without waiting.
    void start_sync();
    /// See durability.hpp.
    base::Result<bool> let_metadata_through() { return file::let_metadata_through(parts_); }
    base::Result<void> sync(Durable what) { return file::sync(parts_, what); }
    void whole_sync_begins() { file::whole_sync_begins(parts_); }
    void whole_sync_ended(bool done) { file::whole_sync_ended(parts_, done); }
    /// Whether a commit of the timer has anything to do for this file.
    [[nodiscard]] bool has_work() const;
    /// A failed flush or sync is reported to handles; `asked` says that an application waits for
    /// it: a failure that repeats itself at every timer commit is reported once.
    void report_failure(int error, bool asked);

    struct Gauge {
        std::size_t page_entries = 0;
        std::size_t extents = 0;
        bool dirty = false;
    };
    [[nodiscard]] Gauge gauge() const;

  private:
    /// Enters a write(2) in everything but the bytes. With the mutex held.
    void lock_note_write(model::ByteRange range, std::span<const std::byte> bytes, Via via)
        REQUIRES(parts_.mutex);
    void lock_note_read(model::ByteRange range) REQUIRES(parts_.mutex);
    /// Whether mapped stores may lie in holes, and the last look is older than a hundred times its
    /// cost. With the mutex held.
    [[nodiscard]] bool lock_look_is_due() const REQUIRES(parts_.mutex);
    /// A look that began at `began` has found these pages.
    void note_look(std::chrono::steady_clock::time_point began, const PageSet& stored);

    FileParts parts_;
    const dev_t device_;
    std::atomic<bool> joined_{false};
    std::chrono::steady_clock::time_point next_look_ GUARDED_BY(parts_.mutex);
    std::uint64_t stored_bytes_ GUARDED_BY(parts_.mutex) = 0; ///< at the last one
    /// A size that the backing filesystem is known to allow. To begin with FAT's limit, the lowest.
    std::atomic<std::uint64_t> allowed_size_{(std::uint64_t{4} << 30U) - 1};
};

} // namespace partialfs::file
