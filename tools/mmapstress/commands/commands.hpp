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

/// No call of a healthy filesystem takes longer.
inline constexpr std::chrono::milliseconds kHangAfter = std::chrono::minutes(5);

/// Options that run, replay, verify and selftest share.
struct CommonOptions {
    RunSettings run; ///< directory, disk, keep, stages, schedule file
    Output output;
    std::string report; ///< where the report is written; empty: nowhere
    /// A call of the filesystem that takes longer has hung: Verdict::hung. 0: never.
    std::chrono::milliseconds hang_after = kHangAfter;
};

struct RunOptions {
    CommonOptions common;
    std::string workload;
    WorkloadSettings settings;
    std::optional<Shard> shard; ///< its campaign has the seed settings.seed
    /// Rounds, each with the next seed, until the time is up or damage is found; else one round.
    std::optional<std::chrono::milliseconds> duration;
    /// The number of rounds, in each of which the power of the mount is cut.
    std::optional<std::uint64_t> power_cuts;
};

/// Runs a workload.
Verdict run_command(const RunOptions& options);

/// Runs a schedule file: a schedule, the schedule of a report, or recorded schedules, one a line.
/// Recorded ones are run in turn, and their damage is compared with the recorded damage.
Verdict replay_command(const CommonOptions& options, const std::string& path);

/// Checks the files that an earlier run has left behind.
Verdict verify_command(const CommonOptions& options, const std::string& report);

struct SelftestOptions {
    CommonOptions common;
    std::uint64_t seed = 1;
    std::uint64_t runs = 20;
};

/// Leaves out one store per run. Clean if exactly the bytes of that store are reported as damage.
Verdict selftest_command(const SelftestOptions& options);

struct MinimiseOptions {
    RunSettings run;                                   ///< directory, disk
    std::string schedule;                              ///< a schedule's file, or a report's
    std::string output;                                ///< where the smallest schedule is written
    unsigned tries = 1;                                ///< as MinimiseSettings'
    std::chrono::milliseconds hang_after = kHangAfter; ///< as CommonOptions'
};

/// Looks for the smallest part of a schedule that still loses the same data. Clean if one was found
/// and written. Unknown, and nothing written, if the schedule loses no data here, or if the part
/// that was found loses none when it is run again.
Verdict minimise_command(const MinimiseOptions& options);

struct ExplainOptions {
    std::string report;
    std::string trace; ///< empty: looked for on the mount that the report names
    std::string html;  ///< a page for a browser is written here, in place of the text; empty: no
    bool all = false;  ///< everything that is known about each range, instead of ten lines
    std::optional<std::size_t> max_ranges; ///< 20, or with `all` every one
};

/// Explains each damaged range of a report. The verdict is the report's.
Verdict explain_command(const ExplainOptions& options);

struct MergeOptions {
    std::vector<std::string> reports;
    Output output;
    std::string report; ///< where the campaign's report is written; empty: nowhere
};

/// Puts the reports of several runs together into one verdict.
Verdict merge_command(const MergeOptions& options);

/// Prints the workloads.
Verdict workloads_command();

} // namespace mmapstress
