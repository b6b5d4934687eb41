// The threads of one process, each working through its share of operations.
#pragma once

#include "fusefs/base/mutex.hpp"
#include "tools/mmapstress/engine/executor.hpp"

#include <cstddef>
#include <optional>
#include <thread>
#include <vector>

namespace mmapstress {

/// A failure, and the operation that failed.
struct OpFailure {
    Failure failure;
    OpId op;
};

/// One thread gives the orders. The destructor joins the threads.
class ThreadTeam {
  public:
    /// This many threads, each with its own executor.
    ThreadTeam(const ExecutorSetting& setting, std::size_t threads);
    ThreadTeam(const ThreadTeam&) = delete;
    ThreadTeam& operator=(const ThreadTeam&) = delete;
    ~ThreadTeam();

    /// Adds to the share of a thread for the next run(). The mappings it needs must be there.
    void add(std::size_t thread, const Op& op) { shares_[thread].push_back(op); }
    /// Each thread carries out its share. Returns when all are done, or have stopped at their first
    /// failure. The result is the failure with the lowest operation id.
    std::optional<OpFailure> run();

  private:
    void work(std::size_t thread);

    std::vector<Executor> executors_; ///< each used by its thread only
    /// Written by the ordering thread between runs, read by the threads during one; the mutex
    /// orders the two.
    std::vector<std::vector<Op>> shares_;
    partialfs::base::Mutex mutex_; ///< never held together with another
    partialfs::base::CondVar changed_;
    std::uint64_t run_ GUARDED_BY(mutex_) = 0;   ///< number of the run, counted up to begin one
    std::size_t working_ GUARDED_BY(mutex_) = 0; ///< threads that have not finished this run
    bool ending_ GUARDED_BY(mutex_) = false;
    std::optional<OpFailure> failure_ GUARDED_BY(mutex_);
    std::vector<std::thread> threads_;
};

} // namespace mmapstress
