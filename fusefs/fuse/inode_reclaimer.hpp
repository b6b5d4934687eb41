// Limits the number of inodes that the kernel knows.
//
// The kernel forgets inodes only when memory is short, and each inode that it knows costs the
// daemon a descriptor and memory. Above a limit the daemon asks it to forget those that have been
// unused for longest. Before Linux 6.18 the kernel can only be asked to drop a name, even if that
// is in use. Directories are then left alone, as programs would notice if the name of a working
// directory, or of one with a mount inside, was dropped.
#pragma once

#include "fusefs/base/mutex.hpp"
#include "fusefs/fuse/inode_table.hpp"
#include "fusefs/fuse/libfuse.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <thread>

namespace partialfs::fuse {

class InodeReclaimer {
  public:
    /// The default for the most known inodes: half of the descriptor limit, but at most 20,000,
    /// which take about 16 MiB of the daemon's memory.
    static std::size_t default_limit();

    /// `inodes` must outlive the reclaimer. `commit` is called on the reclaimer's thread if too
    /// many inodes are left after the kernel has been asked to forget, as some may wait for a
    /// commit: it asks for one, and does not wait.
    InodeReclaimer(InodeTable& inodes, std::size_t limit, std::function<void()> commit);
    InodeReclaimer(const InodeReclaimer&) = delete;
    InodeReclaimer& operator=(const InodeReclaimer&) = delete;
    ~InodeReclaimer() { stop(); }

    /// Starts the thread. A thread of its own, which serves no requests, as it waits for the locks
    /// of directories, which requests hold until they are answered.
    void start(fuse_session* session);
    /// Ends the thread. To be called while requests are still served, or when the connection is
    /// gone. A second call does nothing.
    void stop();

  private:
    void run();
    /// Reduces the inodes to seven eighths of the limit, or to those in use.
    void reclaim();
    /// Asks the kernel to forget unused inodes, as many as are too many, and waits for a moment.
    void ask_for_unused();
    void ask_to_forget(std::span<const InodeTable::Unused> unused);

    InodeTable& inodes_;
    std::size_t limit_;
    std::function<void()> commit_;
    bool can_prune_ = true; ///< until the kernel answers EINVAL; only for the reclaimer's thread
    fuse_session* session_ = nullptr;
    base::Mutex mutex_; ///< a leaf
    base::CondVar wake_;
    bool wanted_ GUARDED_BY(mutex_) = false;
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::thread thread_;
};

} // namespace partialfs::fuse
