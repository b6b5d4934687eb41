// Keeps the number of inodes that the kernel knows within bounds.
//
// The kernel forgets inodes only when memory is short, and each that it knows costs the daemon a
// descriptor and memory. Above a limit the daemon asks it to drop the names of files that have gone
// unused for longest. Directories are left alone: dropping the name of one that is a process's
// working directory would show.
#pragma once

#include "fusefs/kernel/inode_table.hpp"

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>

namespace partialfs::kernel {

class InodeReclaimer {
  public:
    /// Known inodes at most, by default: what the descriptor limit allows with some to spare, and
    /// no more than some 16 MiB of the daemon's memory.
    static std::size_t default_limit();

    /// `inodes` must outlive the reclaimer.
    InodeReclaimer(InodeTable& inodes, std::size_t limit);
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

    InodeTable& inodes_;
    std::size_t limit_;
    fuse_session* session_ = nullptr;
    std::mutex mutex_; ///< guards what follows; a leaf
    std::condition_variable wake_;
    bool wanted_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

} // namespace partialfs::kernel
