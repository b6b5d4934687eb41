// Checks the files that an earlier run left behind.
#pragma once

#include "tools/mmapstress/engine/engine.hpp"
#include "tools/mmapstress/report/report.hpp"

#include <expected>

namespace mmapstress {

/// The schedule that a report tells of, from its text or from the file that it names. The error
/// says in words why there is none.
std::expected<Schedule, std::string> schedule_of_report(const Report& report);

/// Compares the files of the report's run, found in settings.directory or in the run's own
/// directory below it, with what they should be after the operations that were carried out. Of the
/// settings the directory, the disk, the stages and the progress count. `judge`, which may be
/// nullptr, says what the workload's own program would say of them. Nothing is written to the
/// files, nothing is removed.
std::expected<RunResult, StartError> recheck(const RunSettings& settings, const Report& report,
                                             Judge judge);

} // namespace mmapstress
