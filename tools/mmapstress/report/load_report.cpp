#include "tools/mmapstress/report/load_report.hpp"

#include "fusefs/base/fd.hpp"
#include "fusefs/base/try.hpp"
#include "tools/mmapstress/system/files.hpp"

#include <sys/file.h>

namespace mmapstress {

namespace {

/// Whether a run still holds its lock on the progress file.
bool still_going_on(const std::string& path) {
    const auto file = partialfs::base::Fd::open(AT_FDCWD, path.c_str(), O_RDONLY);
    return file && ::flock(file->get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

} // namespace

std::expected<LoadedReport, std::string> load_report(const std::string& path) {
    const auto text = TRY(read_file(path));
    auto report = parse_report(text);
    if (!report) {
        return std::unexpected(path + ": " + report.error());
    }
    if (report->result.synced) {
        return LoadedReport{std::move(*report), std::nullopt};
    }
    const std::string beside = progress_path(path);
    if (still_going_on(beside)) {
        return std::unexpected(path + ": the run is still going on");
    }
    const auto progress = read_file(beside);
    if (!progress) {
        return std::unexpected(progress.error() + " (it says how far the run came)");
    }
    const std::string& directory = report->result.directory;
    auto parsed = parse_progress(*progress, directory.substr(directory.rfind('/') + 1));
    if (!parsed) {
        return std::unexpected(beside + ": " + parsed.error());
    }
    return LoadedReport{std::move(*report), std::move(*parsed)};
}

std::expected<void, std::string> write_report(const std::string& path, const RunResult& result) {
    const auto state =
        result.interrupted || result.hung ? ReportState::interrupted : ReportState::finished;
    auto written = write_file_atomically(path, report_json(result, state));
    if (written && (result.synced || !result.kept)) {
        ::unlink(progress_path(path).c_str());
    }
    return written;
}

} // namespace mmapstress
