// The kernel's page cache of the daemon's own mount, as far as a FUSE daemon can see it.
#pragma once

#include "fusefs/base/fd.hpp"
#include "fusefs/base/mutex.hpp"
#include "fusefs/file/buffer.hpp"
#include "fusefs/file/page_cache.hpp"
#include "fusefs/fuse/cache_status.hpp"
#include "fusefs/fuse/libfuse.hpp"
#include "fusefs/fuse/private_view.hpp"
#include "fusefs/fuse/retrieves.hpp"
#include "fusefs/fuse/visitor.hpp"
#include "fusefs/model/types.hpp"

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

namespace partialfs::fuse {

/// How pages stored into through a mapping are found.
enum class Probe : std::uint8_t {
    cachestat, ///< cachestat(2), Linux 6.5 and later: exact
    compare,   ///< retrieve the cached pages and compare them with hashes of their former bytes
};

/// Probes and retrieves. See file::PageCache for who may call what.
///
/// A file is probed through `.partialfs/inode/N`, opened for this in the daemon's private view of
/// the mount. Such an open is recognised by its thread, and is answered with FOPEN_NOFLUSH, as
/// closing it would otherwise write every dirty page back.
class FusePageCache final : public file::PageCache {
  public:
    /// `pool` gets back the memory that retrieved pages come in.
    FusePageCache(std::string mountpoint, Probe probe, file::MemoryPool& pool);

    /// To be called once the session is mounted, and before run().
    void set_session(fuse_session* session);
    /// Starts the thread that probes. To be called after set_session(), before run().
    void start();
    /// Waits until files can be probed whichever directory others lock. To be called when requests
    /// are served, before the mount is announced as ready.
    void wait_until_ready();
    /// For poll(2) with POLLPRI; then call mounts_changed(). -1: nothing to poll.
    [[nodiscard]] int mounts_changed_fd() const;
    /// Releases the private view if the mount is gone. To be called while requests are served.
    void mounts_changed();
    /// The session answers nothing any more: present and later waits for pages end with ENODEV.
    void disconnect();

    /// Whether `thread` is the one that probes: its requests are not an application's.
    [[nodiscard]] bool is_probing(pid_t thread) const;
    [[nodiscard]] Probe probe() const { return probe_; }

    [[nodiscard]] std::uint64_t retrieve_limit() const override { return 256; }
    base::Result<file::PageSet> dirty_pages(file::JournaledFile& file,
                                            const file::PageSet& pages) override;
    std::optional<file::PageSet> dirty_now(model::InodeId inode, model::ByteOffset size) override;
    std::optional<std::uint64_t> dirty_count_now(model::InodeId inode,
                                                 model::ByteOffset size) override;
    std::optional<file::PageSet> under_writeback_now(model::InodeId inode,
                                                     model::ByteOffset size) override;
    base::Result<file::RetrievedPages> retrieve(model::InodeId inode,
                                                file::PageRange pages) override;
    std::optional<bool> is_clean(model::InodeId inode, model::PageIndex page) override;
    /// Closes the descriptor of open_way(), as no program has the file open for reading and writing
    /// any more, or its last name is gone. Causes no request that anybody waits for.
    void close_way(model::InodeId inode);

    /// Writes the file's pages back and drops them from the cache. EBUSY if some are still or again
    /// cached. Any thread except a request thread; waits for requests to be served.
    base::Result<void> evict(model::InodeId inode);
    /// Drops the file's pages from the cache as far as possible; the kernel writes dirty ones back
    /// first. Threads as evict().
    void drop(model::InodeId inode);
    /// Has the kernel write all dirty pages of the mount back, and takes the writeback error that
    /// the kernel would otherwise keep for the next syncfs(2). Threads as evict().
    void take_writeback_error();
    /// Has the kernel write all dirty pages of the mount back. Threads as evict().
    void write_everything_back();

    /// Where the replies to retrieves go.
    Retrieves& retrieves() { return retrieves_; }

  private:
    /// An open descriptor of an inode of the daemon's own mount. Shared with threads that are using
    /// it.
    using Way = std::shared_ptr<const base::Fd>;
    void close_ways();
    [[nodiscard]] Way known_way(model::InodeId inode) const;
    /// A descriptor of a file into which a mapping may store: opened once, and kept until
    /// close_way(). ENOTSUP without a private view, as umount(8) would then fail with EBUSY, or if
    /// there are too many. Waits for requests to be served.
    base::Result<Way> open_way(const file::JournaledFile& file);
    /// Opens an inode of the daemon's own mount and runs `job(fd)`, which returns a Result, on the
    /// visitor's thread. Afterwards the kernel must forget the name by which the inode was opened,
    /// or that name would keep the inode, and the space of an unlinked file.
    template <typename Job>
    auto visit(model::InodeId inode, Job job) -> decltype(job(std::declval<const base::Fd&>()));
    /// On the visitor's thread.
    base::Result<base::Fd> open_inode(model::InodeId inode);
    base::Result<file::PageSet> changed_pages(file::JournaledFile& file,
                                              const file::PageSet& pages);

    std::string mountpoint_;
    Probe probe_;
    Retrieves retrieves_;
    fuse_session* session_ = nullptr;
    std::unique_ptr<PrivateView> view_; ///< from set_session() on
    std::atomic<bool> disconnected_{false};
    std::atomic<std::uint64_t> device_{0}; ///< of the daemon's mount; 0: not known yet
    Visitor visitor_;
    /// Held from opening an inode until its name is forgotten: forgetting waits for the directory
    /// lock that opening holds. Taken before the visitor's own.
    base::Mutex visits_;

    base::Mutex opening_ ACQUIRED_BEFORE(visits_); ///< held while a way is opened
    mutable base::Mutex ways_mutex_;               ///< a leaf
    std::unordered_map<model::InodeId, Way> ways_ GUARDED_BY(ways_mutex_);
};

} // namespace partialfs::fuse
