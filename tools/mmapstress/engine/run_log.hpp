// Writes down what a crash would leave nobody to tell: the report's head, and how far the run came.
#pragma once

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/system/failure.hpp"

#include <chrono>
#include <string>

namespace mmapstress {

/// Holds an flock() on the progress file (report/progress_file.hpp) as long as it, or a process
/// forked meanwhile, lives: so it can be told that the run is still going on. Not thread-safe.
class RunLog {
  public:
    /// Writes nothing, ever.
    RunLog() = default;

    /// Creates the progress file beside `report`, then writes `head` there as the report of a run
    /// that is going on. Both are on disk when it returns. `report` empty: as RunLog().
    static Outcome<RunLog> open(const std::string& report, const RunResult& head);

    /// Call it before an operation is begun.
    Outcome<> before(OpId id);
    /// All operations up to this one have been carried out, and none after it.
    Outcome<> done(OpId id);
    /// The schedule's end: all files have been synced.
    Outcome<> end();

  private:
    Outcome<> append(const std::string& line, bool sync);

    partialfs::base::Fd file_;
    std::string path_;
    OpId begun_;
    std::chrono::steady_clock::time_point synced_;
};

} // namespace mmapstress
