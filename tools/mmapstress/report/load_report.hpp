// A report from its file, and what else a run that a crash cut short has left beside it.
#pragma once

#include "tools/mmapstress/report/progress_file.hpp"
#include "tools/mmapstress/report/report.hpp"

#include <expected>
#include <optional>
#include <string>

namespace mmapstress {

struct LoadedReport {
    Report report;
    /// Of a run that a crash or an error kept from syncing all files at its end.
    std::optional<RunProgress> progress;
};

/// Reads the report at `path` and, if the run did not come to sync all files at its
/// end, the progress file beside it.
/// The error names the file and says in words what is wrong: the run may still be going on.
std::expected<LoadedReport, std::string> load_report(const std::string& path);

/// Writes the report of a run that is over to `path`. What was kept beside it for a crash goes, if
/// all files were synced at the end or are gone. The error names the path and the reason.
std::expected<void, std::string> write_report(const std::string& path, const RunResult& result);

} // namespace mmapstress
