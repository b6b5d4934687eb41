// The control directory: `.partialfs` in the root of the mount, reachable by name but not listed.
//
//     status         r   JSON: counters, contract, policy, kernel features in use
//     ledger         r   JSON Lines: the lost stores
//     trace          r   JSON Lines: the latest events
//     contract       rw  linux-2.6.19 or linux-2.6.20; effective at once
//     flush-policy   rw  eager or ext3; effective at once
//     commit         w   write anything: returns when a commit is on disk
//     evict          w   write a path relative to the mount: its pages are written back and dropped
//     inode/N            the inode with FUSE's number N itself, whatever its name
#pragma once

#include "fusefs/fuse/libfuse.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace partialfs::fuse {

struct Mount;

/// Wraps all handlers of `ops`: what concerns the control directory is answered by it, everything
/// else goes on to the handler that was there.
void add_control_requests(fuse_lowlevel_ops& ops);

/// Runs what a control write asks for and a request thread must not wait for.
class ControlDirectory {
  public:
    ControlDirectory() = default;
    ControlDirectory(const ControlDirectory&) = delete;
    ControlDirectory& operator=(const ControlDirectory&) = delete;
    ~ControlDirectory() { stop(); }

    /// Starts the helper thread. Before the first request.
    void start();
    /// Ends the helper thread after what it is at; whatever waits gets `job(false)`.
    void stop();
    /// Runs `job(true)` on the helper thread.
    void submit(std::function<void(bool)> job);

  private:
    void run();

    std::mutex mutex_; ///< guards what follows; a leaf
    std::condition_variable wake_;
    std::deque<std::function<void(bool)>> jobs_;
    bool stopping_ = false;
    std::thread helper_;
};

/// The JSON object that `status` holds.
std::string status_json(const Mount& mount);

} // namespace partialfs::fuse
