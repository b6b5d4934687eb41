// The tool's commands: what each does once its options are known. Exit codes are Verdict's.
#pragma once

#include "tools/mmapstress/commands/present.hpp"
#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/result/run_settings.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mmapstress {

/// Options that run, replay, verify and selftest share.
struct CommonOptions {
    RunSettings run; ///< directory, disk, keep, stages, schedule file
    Output output;
    std::string report; ///< where the report is written; empty: nowhere
};

struct RunOptions {
    CommonOptions common;
    std::string workload;
    WorkloadSettings settings;
    /// Rounds, each with the next seed, until the time is up or damage is found; else one round.
    std::optional<std::chrono::milliseconds> duration;
};

/// Runs a workload.
Verdict run_command(const RunOptions& options);

/// Runs a schedule file: a schedule, the schedule of a report, or recorded schedules, one a line,
/// each of which is run in turn and compared with what was recorded.
Verdict replay_command(const CommonOptions& options, const std::string& path);

/// Checks the files that an earlier run left.
Verdict verify_command(const CommonOptions& options, const std::string& report);

struct SelftestOptions {
    CommonOptions common;
    std::uint64_t seed = 1;
    std::uint64_t runs = 20;
};

/// Leaves one store out per run and expects exactly its bytes to be reported: clean if they are.
Verdict selftest_command(SelftestOptions options);

struct MinimiseOptions {
    RunSettings run;      ///< directory, disk
    std::string schedule; ///< a schedule's file, or a report's
    std::string output;   ///< where the smallest schedule is written
};

/// Looks for the smallest part of a schedule that still loses data, and writes it. Damaged if there
/// is one; clean, and nothing written, if the schedule loses no data.
Verdict minimise_command(const MinimiseOptions& options);

struct ExplainOptions {
    std::string report;
    std::string trace; ///< empty: looked for on the mount that the report names
    std::size_t max_ranges = 20;
};

/// Tells how each damaged range of a report came about. The verdict is the report's.
Verdict explain_command(const ExplainOptions& options);

/// Prints the workloads.
Verdict workloads_command();

} // namespace mmapstress
