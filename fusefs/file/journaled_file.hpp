// The data of one regular file: its interface for the journal.
#pragma once

#include "fusefs/base/fd.hpp"
#include "fusefs/file/durability.hpp"
#include "fusefs/file/file_parts.hpp"
#include "fusefs/file/ordered_flush.hpp"
#include "fusefs/file/page_cache.hpp"
#include "fusefs/model/types.hpp"

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <span>

namespace partialfs::file {

/// A part of FileData. Every function may be called by any thread, with no lock of the file's held.
class JournaledFile {
  public:
    JournaledFile(const JournaledFile&) = delete;
    JournaledFile& operator=(const JournaledFile&) = delete;

    [[nodiscard]] model::InodeId id() const { return parts_.id; }
    /// The O_PATH descriptor of the backing file.
    [[nodiscard]] const base::Fd& path_fd() const { return parts_.backing.path_fd(); }

    /// True once until left(): the caller must then enter the file in the running transaction.
    [[nodiscard]] bool join_once() {
        return !joined_.load(std::memory_order_relaxed) && !joined_.exchange(true);
    }
    [[nodiscard]] bool joined() const { return joined_; }
    /// The power has been cut: the file joins no transaction any more.
    [[nodiscard]] bool dead() const { return parts_.dead; }
    /// The transaction commits: later changes belong to the next one.
    void left() { joined_ = false; }
    /// Announces a change of the file while it lives: keep() then puts the file into the next
    /// transaction. To be made before calling joined(): then either a commit sees the announcement,
    /// or joined() already sees that the file has left().
    class Coming {
      public:
        explicit Coming(JournaledFile& file) : file_(file) { ++file_.changes_coming_; }
        Coming(const Coming&) = delete;
        Coming& operator=(const Coming&) = delete;
        ~Coming() { --file_.changes_coming_; }

      private:
        JournaledFile& file_;
    };
    /// Why a commit must keep the file in its lists.
    struct Keep {
        bool joined; ///< something is held back or announced: the next commit has to look again
        bool known;  ///< a mapping may store into it, or the ledger has losses of it
    };
    [[nodiscard]] Keep keep();

    /// Whether a shared mapping may be storing into the file: a handle is open for reading and
    /// writing. (A mapping keeps its file open, so release comes after munmap.)
    [[nodiscard]] bool may_be_mapped() const;
    /// Whether a descriptor of it in the daemon's own mount is to be kept: it may be mapped, and
    /// has a name.
    [[nodiscard]] bool wants_way() const { return may_be_mapped() && !parts_.nameless; }
    /// Whether a flush has to ask the kernel: for pages that a shared mapping may be storing into,
    /// or for the bytes of pages known to be PG_dirty.
    [[nodiscard]] bool needs_kernel() const;
    /// Whether a rename must wait for a flush: something of the file may not be on disk yet.
    [[nodiscard]] bool needs_flush() const;

    /// Begins a probe for PG_dirty pages, which learn_dirty() ends. Returns the pages that a commit
    /// could flush if they are PG_dirty: under ext3 those on the ordered list, under eager all,
    /// under writeback none.
    [[nodiscard]] PageSet probe_begins();
    /// `pages` are those that a probe found PG_dirty. Pages written back since probe_begins() are
    /// left out; nothing is learned if the file was truncated or punched meanwhile. Returns how
    /// many were not known to be dirty.
    std::size_t learn_dirty(const PageSet& pages);
    /// Those of `pages` that may be cached and mapped, and whose bytes must be compared to find
    /// stores. Empty unless Settings::compare_pages is set.
    [[nodiscard]] PageSet compare_candidates(const PageSet& pages) const;
    /// Whether `bytes`, the cached bytes of a page of compare_candidates(), differ from those at
    /// the last read, write or writepage. To be called between probe_begins() and learn_dirty().
    [[nodiscard]] bool differs(model::PageIndex page, std::span<const std::byte> bytes);

    /// A commit's flush of this file. See OrderedFlush.
    Flushed flush(PageCache& cache, const PageSet& dirty, model::CommitId commit) {
        return OrderedFlush(parts_, commit).with_kernel(cache, dirty);
    }
    Flushed flush_buffers(model::CommitId commit) {
        return OrderedFlush(parts_, commit).without_kernel();
    }
    Flushed write_back_unmapped() { return OrderedFlush(parts_, model::CommitId{0}).unmapped(); }
    /// Whether fsync commits under the policy ext3. Makes the inode clean.
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
    /// Whether a commit by the timer has anything to do for this file.
    [[nodiscard]] bool has_work() const;
    /// Reports a failed flush or sync to handles. `asked`: an application waits for it. If not, a
    /// failure that repeats at every timer commit is reported only once.
    void report_failure(int error, bool asked);

    struct Gauge {
        std::size_t page_entries = 0;
        std::size_t extents = 0;
        bool dirty = false;
    };
    [[nodiscard]] Gauge gauge() const;

    /// To be called when the kernel has forgotten the file: if it has no name and no handle either,
    /// gives up everything that is held back.
    void abandon_if_nameless();

  protected:
    JournaledFile(FileParts& parts, dev_t device) : parts_(parts), device_(device) {}
    ~JournaledFile() = default;

  private:
    FileParts& parts_;
    const dev_t device_;
    std::atomic<bool> joined_{false};
    std::atomic<int> changes_coming_{0};
};

} // namespace partialfs::file
