// What one file consists of, and under which locks.
//
// Two locks. `disk` is held by whoever changes the backing file, from the decision what to write to
// the note that it is written: so what reaches the disk does so in the order of the decisions. It
// may be held for as long as a slow disk takes. `mutex` guards the state, and is never held during
// a system call that waits for the disk: a stat(2), a read(2) or a write(2) of the file does not
// wait for a write to SOURCE. Nobody waits for the kernel (a retrieve, a look into our own mount)
// with either of them held, as the kernel may wait for a request that needs them. Lock order: disk,
// mutex, then the leaves that are called (losses, ledger, trace, budget).
//
// Invariants, whenever `mutex` is free:
// - A block is dirty if and only if memory has bytes of it that the disk must get: buffered here,
// or
//   (if the page is `told`) in the kernel's page cache.
// - The backing file never shows a size that covers bytes of a dirty block that has not been
// written.
// - What a reader gets is the backing file with the held bytes laid over it; bytes stay held until
//   they are on disk.
#pragma once

#include "fusefs/base/mutex.hpp"
#include "fusefs/file/backing_file.hpp"
#include "fusefs/file/context.hpp"
#include "fusefs/file/error_sequence.hpp"
#include "fusefs/file/file_losses.hpp"
#include "fusefs/file/file_times.hpp"
#include "fusefs/file/held_bytes.hpp"
#include "fusefs/file/page_hashes.hpp"
#include "fusefs/file/probe_window.hpp"
#include "fusefs/model/file_state.hpp"
#include "fusefs/model/types.hpp"

#include <sys/stat.h>

#include <atomic>
#include <span>

namespace partialfs::file {

/// Where FileData, OrderedFlush and Writeback meet. Functions that begin with lock_ are called with
/// `mutex` held.
struct FileParts {
    FileParts(model::InodeId inode, const base::Fd& path_fd, const struct stat& status,
              Context& its_context)
        : id(inode), context(its_context),
          backing(its_context.disk(), path_fd, its_context.settings.reopens_any_file),
          losses(inode, backing, its_context),
          state(its_context.settings.block_size, model::offset_of(status.st_size),
                status.st_blocks * 512 < status.st_size),
          times(status.st_ctim), hashes(its_context.settings.compare_pages) {}

    [[nodiscard]] model::FlushPolicy policy() const {
        return context.settings.policy.load(std::memory_order_relaxed);
    }
    [[nodiscard]] model::Contract contract() const {
        return context.settings.contract.load(std::memory_order_relaxed);
    }
    [[nodiscard]] model::AfterWriteError after_write_error() const {
        return context.settings.after_write_error.load(std::memory_order_relaxed);
    }
    /// Nothing is held back: the backing file is what programs see.
    [[nodiscard]] bool lock_clean() const REQUIRES(mutex) {
        return writing == 0 && held.empty() && !times.held_mtime() && !state.is_dirty();
    }
    /// The data has changed now: mtime and ctime follow.
    void lock_touch_times() REQUIRES(mutex);
    /// What is written from now on does not move the mtime that the backing inode has.
    void lock_keep_mtime() REQUIRES(mutex);
    /// Learns of blocks' places on disk as far as the policy needs it.
    void lock_learn_allocation(model::ByteRange range) REQUIRES(mutex);
    /// What the disk has of `target`, with what is held laid over it.
    base::Result<void> lock_read_image(model::ByteOffset offset, std::span<std::byte> target)
        REQUIRES(mutex);
    /// Without a handle: closes the backing file, at the latest when nothing of it is held back.
    void lock_close_if_unused() REQUIRES(mutex);
    /// Gives up all that is held back.
    void lock_abandon() REQUIRES(mutex);
    /// A write of the backing file has failed. Whether handles get the error is the caller's
    /// business.
    void lock_note_error(int error) REQUIRES(mutex);

    /// Held bytes between the end of the backing file and what is written beyond it.
    enum class Growth : std::uint8_t {
        in_order,         ///< have been written: the caller goes in ascending order
        data_below_first, ///< are written first, and their blocks stay dirty
    };
    /// Writes to the backing file, and heals what the ledger has of the range. With `disk` held,
    /// without `mutex`, which it takes at the end.
    base::Result<void> put_on_disk(model::ByteOffset offset, std::span<iovec> parts,
                                   Growth growth = Growth::in_order) REQUIRES(disk) EXCLUDES(mutex);
    /// The same for a write(2) that goes through: the state is left to the caller, and `part` says
    /// what is left of it if the disk takes less.
    base::Result<void> write_growing(model::ByteOffset offset, iovec& part) REQUIRES(disk)
        EXCLUDES(mutex);
    /// `wanted`, one behind the other from `offset` on, has been written, and what `healed` of the
    /// ledger that heals was asked before. What SOURCE was only said to have got is entered.
    void settle_losses(model::ByteOffset offset, std::span<const iovec> wanted,
                       std::span<const model::ByteRange> healed) REQUIRES(disk) EXCLUDES(mutex);
    /// `range` has reached the disk.
    void lock_reached_disk(model::ByteRange range) REQUIRES(mutex);
    /// Writes held bytes that lie between the end of the backing file and `offset`. Their blocks
    /// stay dirty. As put_on_disk().
    base::Result<void> write_growth_below(model::ByteOffset offset) REQUIRES(disk) EXCLUDES(mutex);

    const model::InodeId id;
    Context& context;
    BackingFile backing;
    FileLosses losses;

    base::Mutex disk; ///< see above

    mutable base::Mutex mutex ACQUIRED_AFTER(disk); ///< see above; taken by FileLock
    model::FileState state GUARDED_BY(mutex);
    HeldBytes held GUARDED_BY(mutex);
    FileTimes times GUARDED_BY(mutex);
    PageHashes hashes GUARDED_BY(mutex);
    ProbeWindow probe GUARDED_BY(mutex);
    ErrorSequence errors GUARDED_BY(mutex);
    /// The errno with which writes to the backing file keep failing.
    int failing GUARDED_BY(mutex) = 0;
    /// Changes of the backing file under way.
    int writing GUARDED_BY(mutex) = 0;
    int handles GUARDED_BY(mutex) = 0;
    int mappable_handles GUARDED_BY(mutex) = 0;
    /// What an fsync must make durable: attributes, or a change of the size. An inode that this
    /// daemon has not synced yet may have been made or changed a moment ago.
    bool attributes_unsynced GUARDED_BY(mutex) = true;
    bool size_unsynced GUARDED_BY(mutex) = true;
    /// Something happened since the last flush found nothing to do.
    std::atomic<bool> flushable{false};
    /// The last name is gone.
    std::atomic<bool> nameless{false};
    /// The power has been cut: nothing of the file reaches the disk any more, whatever is held.
    std::atomic<bool> dead{false};
    std::atomic<bool> cut_took{false}; ///< the cut has taken something of it

    /// Of the invariants above, those that memory alone can tell; a failed one ends the process.
    void lock_check_invariants() const REQUIRES(mutex);
};

/// Holds the mutex of a file while it lives, but for what lies between unlock() and lock(). Where
/// PARTIALFS_CHECKS is defined (debug, sanitizers, fuzzing) the invariants are checked whenever it
/// lets go.
class SCOPED_CAPABILITY FileLock {
  public:
    explicit FileLock(const FileParts& file) ACQUIRE(file.mutex) : file_(file), lock_(file.mutex) {}
    ~FileLock() RELEASE() {
        if (held_) {
            check();
        }
    }
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;

    void unlock() RELEASE() {
        check();
        held_ = false;
        lock_.unlock();
    }
    void lock() ACQUIRE() {
        lock_.lock();
        held_ = true;
    }

  private:
    // What follows works on a mutex that the analysis knows by another name.
    void check() const NO_THREAD_SAFETY_ANALYSIS {
#ifdef PARTIALFS_CHECKS
        file_.lock_check_invariants();
#endif
    }

    const FileParts& file_;
    base::Lock lock_;
    bool held_ = true;
};

/// The backing file is being changed: while this lives, another thread may have the mutex.
class SCOPED_CAPABILITY UnlockedForDisk {
  public:
    UnlockedForDisk(FileParts& file, FileLock& lock) RELEASE(file.mutex)
        : file_(file), lock_(lock) {
        ++file.writing;
        lock.unlock();
    }
    ~UnlockedForDisk() RELEASE() NO_THREAD_SAFETY_ANALYSIS { // which it takes again
        lock_.lock();
        --file_.writing;
    }
    UnlockedForDisk(const UnlockedForDisk&) = delete;
    UnlockedForDisk& operator=(const UnlockedForDisk&) = delete;

  private:
    FileParts& file_;
    FileLock& lock_;
};

} // namespace partialfs::file
