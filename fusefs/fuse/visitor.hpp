// The thread with which the daemon uses its own mount.
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

/// Runs jobs that open files of the daemon's own mount, one at a time, on a thread of its own.
///
/// That thread has its own file table (unshare(2) of CLONE_FILES), with none of the daemon's
/// descriptors in it. The reason: a thread that waits for a request cannot be killed while that
/// request is being served. After a SIGKILL of the daemon it would wait forever for threads that
/// are gone, and a shared table would keep /dev/fuse open; but only when that is closed does the
/// kernel give up all requests. So the process, and all users of the mount, would hang (measured).
///
/// Jobs must therefore use no descriptor from outside. They may send one of theirs home, to the
/// process's table, if closing it causes no request that anybody waits for (FOPEN_NOFLUSH).
class Visitor {
  public:
    using Job = std::function<void()>;
    /// To be called by a job when it has opened its file. False: nobody waits for the job any more,
    /// and it must end without touching anything that it does not own.
    using Arrived = std::function<bool()>;
    using Visit = std::function<void(const Arrived&)>;

    enum class Outcome : std::uint8_t {
        done,
        gave_up,     ///< the job did not arrive in time; it ends later, by itself
        not_running, ///< the thread does not run: nothing was done
    };

    Visitor() = default;
    Visitor(const Visitor&) = delete;
    Visitor& operator=(const Visitor&) = delete;
    ~Visitor() { stop(); }

    /// Starts the thread, and returns when it runs.
    void start();
    /// Ends the thread after the jobs that it has.
    void stop();
    /// Gives `job` to the thread, without waiting for it. Its exceptions are ignored.
    void post(Job job);
    /// Runs `job` on the thread and waits for its end. Throws what it throws.
    Outcome run(const Job& job);
    /// As run(); but if `visit` has not arrived after `patience`, it is given up, as it may be
    /// waiting for the caller.
    Outcome run(const Visit& visit, std::chrono::nanoseconds patience);
    /// For jobs: sends a copy of `fd` to the process's own file table, where take_home() returns it
    /// after the job. False if it could not be sent.
    [[nodiscard]] bool send_home(const base::Fd& fd) const;
    /// The descriptor that the last job has sent, or the errno of recvmsg(2); EBADF: a message
    /// without one.
    [[nodiscard]] base::Result<base::Fd> take_home() const;
    /// The thread's number, which its requests have as their caller; 0: no thread runs.
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
    /// The outcome of a task that is done; throws what it threw.
    static Outcome end_of(const Task& task);

    base::Mutex mutex_; ///< also guards the states of the tasks; a leaf
    base::CondVar changed_;
    std::deque<std::shared_ptr<Task>> tasks_ GUARDED_BY(mutex_);
    bool running_ GUARDED_BY(mutex_) = false;
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::atomic<pid_t> thread_id_{0};
    /// The socket pair for send_home(): the process's end, and the number of the thread's end,
    /// which is open only in the thread's table. Set before the thread runs.
    base::Fd home_;
    int thread_home_ = -1;
    bool has_own_table_ = false;
    std::thread thread_;
};

} // namespace partialfs::fuse
