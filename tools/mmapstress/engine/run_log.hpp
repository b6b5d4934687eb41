// Writes to disk what must be known after a crash: the report's head, and how far the run came.
#pragma once

#include "fusefs/base/fd.hpp"
#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/system/failure.hpp"
#include "tools/schedule/op_walker.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace mmapstress {

/// Holds an flock() on the progress file (report/progress_file.hpp) as long as this object, or a
/// process forked meanwhile, lives. The lock shows that the run is still going on. Not thread-safe.
class RunLog {
  public:
    /// Writes nothing, ever.
    RunLog() = default;

    /// Creates the progress file beside `report`, then writes `head` there as the report of a run
    /// that is going on. Both are on disk when it returns. `report` empty: as RunLog().
    /// `factory` gives the run's operations.
    static Outcome<RunLog> open(const std::string& report, const RunResult& head,
                                const OpSourceFactory& factory);

    /// Call it before an operation begins. Many operations are logged at once, but one that takes
    /// bytes away (truncate, punch) never before its turn: after a crash any logged operation may
    /// have been carried out, so the bytes that it takes away would not be expected any more.
    Outcome<> before(OpId id);
    /// All operations up to this one have been carried out, and none after it.
    Outcome<> done(OpId id);
    /// The schedule's end: all files have been synced.
    Outcome<> end();

  private:
    Outcome<> append(const std::string& line, bool sync);
    /// The last operation that may be logged together with `id`.
    OpId last_with(OpId id);

    partialfs::base::Fd file_;
    std::string path_;
    OpId begun_;
    std::unique_ptr<OpWalker> ahead_; ///< walks the operations that are not yet in the file
    std::optional<Op> next_;          ///< the first of them
    std::chrono::steady_clock::time_point synced_;
};

} // namespace mmapstress
