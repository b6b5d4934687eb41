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
    std::vector<LeftOut> left_out; ///< of the schedule, already
};

/// Carries a schedule out on files that are there, verifies them, and says what was found. Made by
/// run(), used once, on one thread.
class Run {
  public:
    /// `settings` and `factory` must outlive the run.
    Run(const RunSettings& settings, const OpSourceFactory& factory, RunParts parts);

    /// Writes down what a crash would leave nobody to tell. Before carry_out(). The failure names
    /// the file that cannot be written.
    Outcome<> begin_log();

    /// Everything else. What goes wrong is in the result.
    RunResult carry_out(Judge judge);

  private:
    using Clock = std::chrono::steady_clock;

    void problem(std::string message, OpId op) {
        result_.problems.push_back({std::move(message), op});
    }

    /// Times are kept of as many operations as the schedule is.
    void note_time(const Op& op);
    void tell_progress();
    /// How much memory there was, while it is as little as that.
    void note_pressure();
    /// How many commits there were, and that they tried nothing if all of them wrote nothing.
    void judge_commits();

    void run_ops(Crew& crew);
    bool carry_out_op(Crew& crew, const Op& op);
    /// After each sync, which is what a crash must respect; of several workers whenever they have
    /// come together, which is when the order of their operations is known.
    Outcome<> note_done(const Crew& crew, const Op& op);

    // In run_verify.cpp:
    Outcome<> check(const Op& op);
    Outcome<> compare_mapped(FileIndex file, MapIndex map, ByteRange range);
    Outcome<> compare_live(FileIndex file);
    /// False if the files could not be synced at the end, which is a problem then.
    bool verify(Crew& crew, Judge judge);
    /// After an error, as after a crash: what had been synced before it must be there, of all else
    /// old and new are right.
    void verify_what_was_synced();
    /// The files that the run had open are dead: they are opened anew, and verified in the same
    /// way. What went wrong because of the cut is no problem.
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
    OpId noted_; ///< in it, as done
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
