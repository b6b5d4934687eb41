// The thread for work of the control directory that a request thread must not wait for.
#pragma once

#include "fusefs/base/mutex.hpp"

#include <deque>
#include <functional>
#include <thread>

namespace partialfs::fuse {

/// Runs jobs one at a time. Thread-safe.
class ControlDirectory {
  public:
    ControlDirectory() = default;
    ControlDirectory(const ControlDirectory&) = delete;
    ControlDirectory& operator=(const ControlDirectory&) = delete;
    ~ControlDirectory() { stop(); }

    /// Starts the helper thread. To be called before the first request.
    void start();
    /// Ends the helper thread after its present job; waiting jobs are called as `job(false)`.
    void stop();
    /// Runs `job(true)` on the helper thread.
    void submit(std::function<void(bool)> job);

  private:
    void run();

    base::Mutex mutex_; ///< a leaf
    base::CondVar wake_;
    std::deque<std::function<void(bool)>> jobs_ GUARDED_BY(mutex_);
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::thread helper_;
};

} // namespace partialfs::fuse
