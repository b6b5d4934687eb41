// Checks the files that an earlier run left behind.
#pragma once

#include "tools/mmapstress/report/load_report.hpp"
#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/result/run_settings.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <expected>

namespace mmapstress {

/// Compares the files of the report's run, found in settings.directory or in the run's own
/// directory below it, with the bytes expected after the operations that were carried out. If a
/// crash cut the run short: with the bytes that had been synced, and with all that may have been
/// written since (verify/crash_state.hpp). Uses only the settings directory, disk, stages and
/// progress. `judge`, which may be nullptr, is the workload's own checker of the files. Writes
/// nothing to the files and removes nothing.
std::expected<RunResult, StartError> recheck(const RunSettings& settings,
                                             const LoadedReport& loaded, Judge judge);

} // namespace mmapstress
