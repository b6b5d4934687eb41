// How far a run has come, written to a file while it runs, for a check after a crash.
//
// Lines of text beside the report:
//
//     mmapstress-progress 1 mmapstress.a1b2c3    format, version, the run's own directory
//     begun 4096       no operation with a higher number is begun before a further such line is
//                      on disk
//     done 812         all operations up to this one have been carried out
//     end              the schedule's end, all files synced
//
// A `begun` line is synced before it counts; the others at least every tenth of a second. So after
// a power cut `done` may be a little behind, and anything may follow the last whole line.
#pragma once

#include "tools/schedule/op.hpp"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

/// The path of a report's progress file: "r.json" has "r.json.progress".
std::string progress_path(const std::string& report);

struct RunProgress {
    OpId begun;             ///< none above it has been begun
    std::vector<OpId> done; ///< ascending; each: at some moment just all up to it were carried out
    bool ended = false;     ///< all files were synced at the end; `begun` is last_done() then

    bool operator==(const RunProgress&) const = default;
    [[nodiscard]] OpId last_done() const { return done.empty() ? OpId{0} : done.back(); }
};

/// Reads the text of the run whose own directory has this name. Everything after the last valid
/// line is ignored, as a write that the crash cut short. The error says in words what is wrong with
/// the first line. Pure; any thread.
std::expected<RunProgress, std::string> parse_progress(std::string_view text,
                                                       std::string_view directory);

/// The first line, and the others.
std::string progress_head(std::string_view directory);
std::string begun_line(OpId id);
std::string done_line(OpId id);
std::string end_line();

} // namespace mmapstress
