// Checks the files that an earlier run left behind.
#pragma once

#include "tools/mmapstress/report/load_report.hpp"
#include "tools/mmapstress/result/run_result.hpp"
#include "tools/mmapstress/result/run_settings.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <expected>

namespace mmapstress {

/// Compares the files of the report's run, found in settings.directory or in the run's own
/// directory below it, with what they should be after the operations that were carried out. Of a
/// run that a crash cut short: with what had been synced, and with all that may have come since
/// (verify/crash_state.hpp). Of the settings the directory, the disk, the stages and the progress
/// count. `judge`, which may be nullptr, says what the workload's own program would say of them.
/// Nothing is written to the files, nothing is removed.
std::expected<RunResult, StartError> recheck(const RunSettings& settings,
                                             const LoadedReport& loaded, Judge judge);

} // namespace mmapstress
