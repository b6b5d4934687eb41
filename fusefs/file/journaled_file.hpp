// The data of one regular file, as the journal uses it.
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

    /// True once: the caller must then enter the file in the running transaction.
    [[nodiscard]] bool join_once() {
        return !joined_.load(std::memory_order_relaxed) && !joined_.exchange(true);
    }
    [[nodiscard]] bool joined() const { return joined_; }
    /// The power has been cut: it joins no transaction any more.
    [[nodiscard]] bool dead() const { return parts_.dead; }
    /// The transaction commits: what changes from now on is of the next one.
    void left() { joined_ = false; }
    /// While one lives a change of the file is on its way, and keep() says that it is to join the
    /// next transaction. To be made before asking whether the file has joined(): then a commit
    /// either sees the change coming or has let the file leave by the time it is asked.
    class Coming {
      public:
        explicit Coming(JournaledFile& file) : file_(file) { ++file_.changes_coming_; }
        Coming(const Coming&) = delete;
        Coming& operator=(const Coming&) = delete;
        ~Coming() { --file_.changes_coming_; }

      private:
        JournaledFile& file_;
    };
    /// What a commit has still to do for the file, or must remember it for.
    struct Keep {
        bool joined; ///< something is held back or coming: the next commit has to look again
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

    /// Nobody can reach the file any more: no name, no handle, and the kernel has forgotten it.
    /// What is held back is given up.
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
