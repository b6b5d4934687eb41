// How far a run has come, written down while it runs: what is left of it after a crash.
//
// Lines of text beside the report:
//
//     mmapstress-progress 1 mmapstress.a1b2c3    format, version, the run's own directory
//     begun 4096       no operation with a higher number is begun before a further such line is
//                      on disk
//     done 812         all operations up to this one have been carried out
//     end              the schedule's end, all files synced
//
// `begun` lines are synced before they count; the others at least every tenth of a second. So
// after a power cut `done` may be a little behind, and what follows it may be anything.
#pragma once

#include "tools/schedule/op.hpp"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

/// Beside which report: "r.json" has "r.json.progress".
std::string progress_path(const std::string& report);

struct RunProgress {
    OpId begun;             ///< none above it has been begun
    std::vector<OpId> done; ///< ascending: at these moments all up to it was carried out, no more
    bool ended = false;     ///< the end was reached and all files were synced; begun is the last
                            ///< of done then

    bool operator==(const RunProgress&) const = default;
    [[nodiscard]] OpId last_done() const { return done.empty() ? OpId{0} : done.back(); }
};

/// Reads such a text of the run whose own directory has this name. What follows the last whole line
/// that makes sense is taken for a write that the crash cut short. The error says in words what is
/// wrong with the first line. Pure; any thread.
std::expected<RunProgress, std::string> parse_progress(std::string_view text,
                                                       std::string_view directory);

/// The first line, and the others.
std::string progress_head(std::string_view directory);
std::string begun_line(OpId id);
std::string done_line(OpId id);
std::string end_line();

} // namespace mmapstress
