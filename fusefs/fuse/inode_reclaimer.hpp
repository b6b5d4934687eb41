// Keeps the number of inodes that the kernel knows within bounds.
//
// The kernel forgets inodes only when memory is short, and each that it knows costs the daemon a
// descriptor and memory. Above a limit the daemon asks it to forget those that have gone unused for
// longest. Before Linux 6.18 it can only be told to drop a name, whether that is in use or not;
// then directories are left alone: dropping the name of one that is a process's working directory,
// or that something is mounted in, would show.
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
    /// Known inodes at most, by default: what the descriptor limit allows with some to spare, and
    /// no more than some 16 MiB of the daemon's memory.
    static std::size_t default_limit();

    /// `inodes` must outlive the reclaimer. `commit` is called, on the reclaimer's thread, where
    /// there are well more inodes than `limit`, and all that could be forgotten are waiting for a
    /// commit: it asks for one, and does not wait.
    InodeReclaimer(InodeTable& inodes, std::size_t limit, std::function<void()> commit);
    InodeReclaimer(const InodeReclaimer&) = delete;
    InodeReclaimer& operator=(const InodeReclaimer&) = delete;
    ~InodeReclaimer() { stop(); }

    /// Starts the thread. It waits for the locks of directories, which requests hold until they are
    /// answered: it must not serve any.
    void start(fuse_session* session);
    /// Ends it. While requests are still served, or when the connection is gone. Again: nothing.
    void stop();

  private:
    void run();
    /// Down to somewhat below the limit, or to what cannot be done without.
    void reclaim();
    /// Asks the kernel to forget as many as are too many, if so many are unused, and waits for it.
    void ask_for_unused();
    void ask_to_forget(std::span<const InodeTable::Unused> unused);

    InodeTable& inodes_;
    std::size_t limit_;
    std::function<void()> commit_;
    bool can_prune_ = true; ///< until the kernel says that it cannot; the reclaimer's thread alone
    fuse_session* session_ = nullptr;
    base::Mutex mutex_; ///< a leaf
    base::CondVar wake_;
    bool wanted_ GUARDED_BY(mutex_) = false;
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::thread thread_;
};

} // namespace partialfs::fuse
