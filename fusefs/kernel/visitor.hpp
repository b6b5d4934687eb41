// The thread by which the daemon uses its own mount.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace partialfs::kernel {

/// Runs jobs that open files of our own mount, one at a time, on a thread of its own.
///
/// That thread has a file table of its own (unshare(2) of CLONE_FILES), with none of the daemon's
/// descriptors in it. Why: a thread that waits for a request of the daemon's own cannot be killed
/// while that request is being served. After a SIGKILL it would wait for ever for threads that are
/// gone, and with the shared table keep /dev/fuse open, whose closing is what makes the kernel give
/// all requests up. So the process, and all users of the mount, would hang (measured).
///
/// Jobs must therefore use no descriptor from outside, and let none of theirs out.
class Visitor {
  public:
    Visitor() = default;
    Visitor(const Visitor&) = delete;
    Visitor& operator=(const Visitor&) = delete;
    ~Visitor() { stop(); }

    /// Starts the thread, and returns once it runs.
    void start();
    /// Ends the thread after the job it is at.
    void stop();
    /// Runs `job` on the thread and waits for its end. False, without running it, if the thread
    /// does not run. One caller at a time; others wait.
    bool visit(const std::function<void()>& job);
    /// The thread's number as the kernel tells it to us in requests that it makes; 0: none.
    [[nodiscard]] pid_t thread() const { return thread_id_; }

  private:
    void run();

    std::mutex callers_; ///< held for a whole visit(); taken before mutex_
    std::mutex mutex_;   ///< guards what follows
    std::condition_variable changed_;
    const std::function<void()>* job_ = nullptr;
    bool running_ = false;
    bool stopping_ = false;
    std::atomic<pid_t> thread_id_{0};
    std::thread thread_;
};

} // namespace partialfs::kernel
