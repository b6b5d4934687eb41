// A report from its file, with the progress file that a crashed run has left beside it.
#pragma once

#include "tools/mmapstress/report/progress_file.hpp"
#include "tools/mmapstress/report/report.hpp"

#include <expected>
#include <optional>
#include <string>

namespace mmapstress {

struct LoadedReport {
    Report report;
    /// Present if a crash or an error kept the run from syncing all files at its end.
    std::optional<RunProgress> progress;
};

/// Reads the report at `path` and, if the run did not sync all files at its end, the progress file
/// beside it. The error names the file and says in words what is wrong, for example that the run is
/// still going on.
std::expected<LoadedReport, std::string> load_report(const std::string& path);

/// Writes the report of a finished run to `path`. Removes the progress file beside it if all files
/// were synced at the end, or were not kept. The error names the path and the reason.
std::expected<void, std::string> write_report(const std::string& path, const RunResult& result);

} // namespace mmapstress
