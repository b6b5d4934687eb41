// The parts of one file, and the locks that guard them.
//
// Two locks. `disk` is held while the backing file is changed, from the decision what to write to
// the note that it is written, so that writes reach the disk in the order of the decisions. It may
// be held for as long as a slow disk takes. `mutex` guards the state, and is never held during a
// system call that waits for the disk: a stat(2), a read(2) or a write(2) of the file does not wait
// for a write to SOURCE. No thread may wait for the kernel (a retrieve, a look into the daemon's
// own mount) with either of them held, as the kernel may wait for a request that needs them. Lock
// order: disk, mutex, then leaves (losses, ledger, trace, budget).
//
// Invariants, whenever `mutex` is free:
// - A block is dirty if and only if memory has bytes of it that must reach the disk: buffered here,
//   or (if the page is `told`) in the kernel's page cache.
// - The size of the backing file never covers bytes of a dirty block that have not been written.
// - A reader gets the backing file with the held bytes laid over it; bytes stay held until they are
//   on disk.
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

/// The state that FileData, OrderedFlush and Writeback share. Functions whose names begin with
/// lock_ are called with `mutex` held.
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
    /// The data has changed now: sets mtime and ctime.
    void lock_touch_times() REQUIRES(mutex);
    /// Keeps the backing inode's present mtime over later writes.
    void lock_keep_mtime() REQUIRES(mutex);
    /// FileState::learn_allocation(), from the backing file.
    void lock_learn_allocation(model::ByteRange range) REQUIRES(mutex);
    /// Fills `target` with the disk's bytes, and lays the buffered ones over them.
    base::Result<void> lock_read_image(model::ByteOffset offset, std::span<std::byte> target)
        REQUIRES(mutex);
    /// If no handle is open: closes the backing file, for good if nothing is held back or unsynced,
    /// otherwise if the daemon can open it again.
    void lock_close_if_unused() REQUIRES(mutex);
    /// Gives up everything that is held back.
    void lock_abandon() REQUIRES(mutex);
    /// Counts and traces a failed write of the backing file. Reporting it to handles is left to the
    /// caller.
    void lock_note_error(int error) REQUIRES(mutex);

    /// How a write beyond the end of the backing file treats held bytes that lie before it there.
    enum class Growth : std::uint8_t {
        in_order,         ///< they have been written: the caller goes in ascending order
        data_below_first, ///< they are written first, and their blocks stay dirty
    };
    /// Writes to the backing file, and heals the ledger's entries of the range. With `disk` held,
    /// without `mutex`, which it takes at the end.
    base::Result<void> put_on_disk(model::ByteOffset offset, std::span<iovec> parts,
                                   Growth growth = Growth::in_order) REQUIRES(disk) EXCLUDES(mutex);
    /// The same for a write(2) that must not wait in memory. The caller updates the state; if the
    /// disk takes only a part, `part` is what remains.
    base::Result<void> write_growing(model::ByteOffset offset, iovec& part) REQUIRES(disk)
        EXCLUDES(mutex);
    /// Updates the ledger after a write of `wanted`, one after the other from `offset` on. `healed`
    /// is what losses.healed_by() returned before the write. If a fault only pretended the write,
    /// the bytes that SOURCE lacks are entered as lost.
    void settle_losses(model::ByteOffset offset, std::span<const iovec> wanted,
                       std::span<const model::ByteRange> healed) REQUIRES(disk) EXCLUDES(mutex);
    /// `range` has reached the disk.
    void lock_reached_disk(model::ByteRange range) REQUIRES(mutex);
    /// Writes held bytes that lie between the end of the backing file and `offset`, by
    /// put_on_disk(). Their blocks stay dirty.
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
    /// Whether an fsync must make attributes, or a change of the size, durable. True at first: an
    /// inode may have been created or changed just before the daemon came to know it.
    bool attributes_unsynced GUARDED_BY(mutex) = true;
    bool size_unsynced GUARDED_BY(mutex) = true;
    /// The file has changed since the last flush, or that flush left pages over: the next commit
    /// must look at it.
    std::atomic<bool> flushable{false};
    /// The last name is gone.
    std::atomic<bool> nameless{false};
    /// The power has been cut: nothing of the file reaches the disk any more, whatever is held.
    std::atomic<bool> dead{false};
    std::atomic<bool> cut_took{false}; ///< the cut has taken bytes or a size of it

    /// Checks those of the invariants above that need no disk; aborts the process if one fails.
    void lock_check_invariants() const REQUIRES(mutex);
};

/// Holds the mutex of a file while it lives, except between unlock() and lock(). With
/// PARTIALFS_CHECKS (debug, sanitizers, fuzzing) it checks the invariants at each release.
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
    // Unchecked, as the analysis knows the mutex by another name.
    void check() const NO_THREAD_SAFETY_ANALYSIS {
#ifdef PARTIALFS_CHECKS
        file_.lock_check_invariants();
#endif
    }

    const FileParts& file_;
    base::Lock lock_;
    bool held_ = true;
};

/// Releases the mutex while it lives, for a change of the backing file.
class SCOPED_CAPABILITY UnlockedForDisk {
  public:
    UnlockedForDisk(FileParts& file, FileLock& lock) RELEASE(file.mutex)
        : file_(file), lock_(lock) {
        ++file.writing;
        lock.unlock();
    }
    ~UnlockedForDisk() RELEASE() NO_THREAD_SAFETY_ANALYSIS { // it takes the mutex again
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
