// The report of a run as JSON, and back.
//
// One JSON object:
//     "format": "mmapstress-report", "version": 1, "made_by": the tool's version
//     "verdict": "clean" | "damaged" | "could not tell" | "hung"
//     "hung": a call of the filesystem did not return; "problems" say which
//     "state": "finished" | "interrupted" | "running" (the run has not got to its end)
//     "seed", "workload", "kernel", "filesystem", "partialfs" (mount root or null)
//     "disk" (or null), "directory": the run's own directory; "kept": whether it is still there
//     "on_disk": whether the bytes read after eviction came from a block device; if not, all that
//               is known is that they did not come from this filesystem's page cache
//     "synced": the end was reached and all files synced; if not, the progress file beside the
//               report says what must be on disk
//     "files": [{"path", "size"}], size as expected at the end
//     "rounds": run so far; all members except "left_out" and "totals" are of the last one
//     "totals": of all rounds: {"rounds", "operations", "seconds", "by_kind", "past_eof": ranges,
//               "workloads": [{"workload", "rounds", "operations"}],
//               "stages": [{"stage", "bytes", "stored", "wrong", "seconds"}]}
//     "known_faults": [{"name": "K1" to "K11", "text"}], those that the run met
//     "damage_is_known": whether there is damage, and these faults explain all of it
//     "operations": {"done", "last", "seconds", "by_kind": {"store": n, ...}}
//     "left_out": [{"operation": its name, or "size-changes", "reason"}], operations that the
//               schedule or the workload has, and that were not carried out
//     "commits": {"done", "empty": those that wrote no sector; null: not judged}
//     "stages": [{"stage", "state": "checked" | "skipped" | "failed", "reason", "bytes",
//                 "stored" (of the files' bytes those that operations put there), "holes" (not
//                 read, as the filesystem says that they are holes), "wrong", "ranges",
//                 "seconds"}], in the order during (check operations), live, pread, evicted,
//                 direct, disk
//     "damage": [{"file", "path", "offset", "length", "page", "in_page", "aligned" (the largest
//                 power of two up to 4096 that both ends are multiples of), "kind": "stale" |
//                 "zeros" | "misplaced" | "foreign" | "unclear" | "missing" | "unreadable" |
//                 "past-eof", "stages": [...], "lost": operation, "origin": operation or null,
//                 "origin_file", "origin_offset" (misplaced only), "operations": [those that wrote
//                 any of these bytes, in order]}]
//     "past_eof": [{"file", "offset", "length", "stored_by": operation}], bytes that were
//                 stored past the end of a file and appeared when it grew; no damage
//     "damage_not_kept": ranges found beyond those listed
//     "named_operations": {"17": "17 store file=0 off=1 len=2", ...}, all that damage names
//     "named_times": {"17": nanoseconds of CLOCK_MONOTONIC when it began, ...}
//     "problems": [{"message", "operation" or null}]
//     "judgement": [what the workload's own checker says is broken]
//     "cut_short": of a verification after a crash: {"done": all operations up to it had been
//                  carried out, "begun": none above it had been begun, "synced_bytes": that had to
//                  be there}, else null
//     "shard": which part of a campaign it is, {"number", "of", "seed": the campaign's}, else null
//     "settings": what the workload made its schedule from, to make it again: {"seed", "size",
//                 "files", "ops", "threads", "processes" (each of the last five null: the
//                 workload's default), "commit_by", "memory"}, else null
//     "schedule": the schedule's text or null; "schedule_file": its path or null
#pragma once

#include "tools/mmapstress/result/run_result.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace mmapstress {

/// Whether the run of a report came to its end.
enum class ReportState : std::uint8_t { finished, interrupted, running };
inline constexpr std::array kReportStates{EnumName{ReportState::finished, "finished"},
                                          EnumName{ReportState::interrupted, "interrupted"},
                                          EnumName{ReportState::running, "running"}};
constexpr const auto& enum_names(ReportState) {
    return kReportStates;
}

/// The report of `result` as JSON text, ended by a newline.
std::string report_json(const RunResult& result, ReportState state);

struct Report {
    RunResult result;
    std::string made_by; ///< the version of the tool
    ReportState state = ReportState::finished;
};

/// Reads a report. The error says in words what is wrong, with line and column if it is not JSON.
std::expected<Report, std::string> parse_report(std::string_view text);

} // namespace mmapstress
