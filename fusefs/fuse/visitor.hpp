// The thread by which the daemon uses its own mount.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"
#include "fusefs/base/mutex.hpp"

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <thread>

namespace partialfs::fuse {

/// Runs jobs that open files of our own mount, one at a time, on a thread of its own.
///
/// That thread has a file table of its own (unshare(2) of CLONE_FILES), with none of the daemon's
/// descriptors in it. Why: a thread that waits for a request of the daemon's own cannot be killed
/// while that request is being served. After a SIGKILL it would wait for ever for threads that are
/// gone, and with the shared table keep /dev/fuse open, whose closing is what makes the kernel give
/// all requests up. So the process, and all users of the mount, would hang (measured).
///
/// Jobs must therefore use no descriptor from outside. One of theirs may be sent home if closing it
/// makes no request that anybody waits for (FOPEN_NOFLUSH).
class Visitor {
  public:
    using Job = std::function<void()>;
    /// To be called by a job once it has found its way in. False: nobody waits for it any more, and
    /// it must end without touching anything that it does not own.
    using Arrived = std::function<bool()>;
    using Visit = std::function<void(const Arrived&)>;

    enum class Outcome : std::uint8_t {
        done,
        gave_up,     ///< it did not arrive in time, and goes home alone
        not_running, ///< the thread does not run: nothing was done
    };

    Visitor() = default;
    Visitor(const Visitor&) = delete;
    Visitor& operator=(const Visitor&) = delete;
    ~Visitor() { stop(); }

    /// Starts the thread, and returns once it runs.
    void start();
    /// Ends the thread after the jobs that it has.
    void stop();
    /// Leaves `job` to the thread, without waiting for it. What it throws is lost.
    void post(Job job);
    /// Runs `job` on the thread and waits for its end. Throws what it throws.
    Outcome run(const Job& job);
    /// As run(); but if `visit` has not arrived after `patience`, it is given up: what it waits for
    /// may be us.
    Outcome run(const Visit& visit, std::chrono::nanoseconds patience);
    /// For jobs: a copy of `fd` for the process's own file table, to be had by take_home() after
    /// the job. False if it could not be sent.
    [[nodiscard]] bool send_home(const base::Fd& fd) const;
    /// The descriptor that the last job has sent. EBADF: none.
    [[nodiscard]] base::Result<base::Fd> take_home() const;
    /// The thread's number as the kernel tells it to us in requests that it makes; 0: none.
    [[nodiscard]] pid_t thread() const { return thread_id_; }

  private:
    struct Task {
        enum class State : std::uint8_t { on_its_way, arrived, done, given_up };
        Visit visit;
        State state = State::on_its_way;
        std::exception_ptr thrown{}; ///< by the visit, for run() to throw again
    };

    std::shared_ptr<Task> submit(Visit visit);
    void serve();
    /// Of a task that is done.
    static Outcome end_of(const Task& task);

    base::Mutex mutex_; ///< guards the tasks' states, too; a leaf
    base::CondVar changed_;
    std::deque<std::shared_ptr<Task>> tasks_ GUARDED_BY(mutex_);
    bool running_ GUARDED_BY(mutex_) = false;
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::atomic<pid_t> thread_id_{0};
    /// The way home for descriptors: our end, and the number of the thread's, which is open in its
    /// table alone. Set before the thread runs.
    base::Fd home_;
    int thread_home_ = -1;
    bool has_own_table_ = false;
    std::thread thread_;
};

} // namespace partialfs::fuse
