// One run, from its files to its verdict.
#pragma once

#include "tools/mmapstress/engine/commit_watch.hpp"
#include "tools/mmapstress/engine/crew.hpp"
#include "tools/mmapstress/engine/engine.hpp"
#include "tools/mmapstress/engine/power_cut.hpp"
#include "tools/mmapstress/engine/recorder.hpp"
#include "tools/mmapstress/engine/run_directory.hpp"
#include "tools/mmapstress/engine/run_log.hpp"
#include "tools/mmapstress/system/memory_pressure.hpp"
#include "tools/mmapstress/verify/crash_state.hpp"
#include "tools/mmapstress/verify/disk_stages.hpp"
#include "tools/schedule/op_walker.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mmapstress {

/// What a run needs to begin.
struct RunParts {
    RunDirectory directory; ///< with its files
    Place place;
    CommitWatch commits;
    Recorder recorder;             ///< gets each operation before it is carried out
    MemoryPressure pressure;       ///< on until all operations are carried out
    std::vector<LeftOut> left_out; ///< operations that are left out of the schedule
};

/// Carries a schedule out on existing files, verifies them, and reports what was found. Made by
/// run(), used once, on one thread.
class Run {
  public:
    /// `settings` and `factory` must outlive the run.
    Run(const RunSettings& settings, const OpSourceFactory& factory, RunParts parts);

    /// Writes the head of the report to disk, so that it is there after a crash. Call it before
    /// carry_out(). The failure names the file that cannot be written.
    Outcome<> begin_log();

    /// Does everything else. Whatever goes wrong is in the result.
    RunResult carry_out(Judge judge);

  private:
    using Clock = std::chrono::steady_clock;

    void problem(std::string message, OpId op) {
        result_.problems.push_back({std::move(message), op});
    }

    /// Keeps the times of the first operations: at most as many as the schedule in the result has.
    void note_time(const Op& op);
    void tell_progress();
    /// Notes how much memory there was. Call it while memory is still limited.
    void note_pressure();
    /// Notes how many commits there were. It is a problem if all of them wrote nothing.
    void judge_commits();

    void run_ops(Crew& crew);
    bool carry_out_op(Crew& crew, const Op& op);
    /// Logs which operations are done, after each operation that syncs: a crash must not undo what
    /// it synced. With several workers also whenever all of them are done: only then is the order
    /// of their operations known.
    Outcome<> note_done(const Crew& crew, const Op& op);

    // In run_verify.cpp:
    Outcome<> check(const Op& op);
    Outcome<> compare_mapped(FileIndex file, MapIndex map, ByteRange range);
    Outcome<> compare_live(FileIndex file);
    /// False, and a problem is noted, if the files could not be synced at the end.
    bool verify(Crew& crew, Judge judge);
    /// Verifies after an error, as after a crash: what was synced before must be there; of all else
    /// the old and the new bytes are both right.
    void verify_what_was_synced();
    /// The same after a power cut. The run's descriptors are dead, so the files are opened again.
    /// Errors that the cut caused are no problems.
    void verify_after_cut(PowerCut& power);
    void remove_what_workers_left() const;
    void check_what_was_synced(CrashState& state, const std::vector<EvictedFile>& files,
                               const std::string& evicted);
    void check_cached();
    bool sync_all(Crew& crew);
    std::string evict_all(Crew& crew);
    void finish();

    StageResult& stage(Stage stage) { return result_.stages[static_cast<std::size_t>(stage)]; }

    const RunSettings& settings_;
    RunDirectory directory_;
    Place place_;
    const OpSourceFactory& factory_;
    OpWalker walker_;
    CommitWatch commits_;
    Recorder recorder_;
    RunLog log_;
    OpId noted_; ///< the last operation that was logged as done
    OpId begun_; ///< the last operation that was given to the crew
    /// Moments at which all operations up to one had been carried out, and none after it. With one
    /// worker the order is known, and the last moment is enough.
    std::vector<OpId> synced_points_;
    MemoryPressure pressure_; ///< while the operations are carried out
    Expected expected_;
    Collector collector_;
    Verifier verifier_;
    RunResult result_;
    /// When operations began, ids ascending.
    std::vector<std::pair<OpId, Clock::duration>> times_;
    std::uint64_t checked_ = 0; ///< bytes that check operations compared
    Clock::time_point told_;
};

} // namespace mmapstress
