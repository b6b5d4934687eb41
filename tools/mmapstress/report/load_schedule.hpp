// The schedule that a file or a report holds.
#pragma once

#include "tools/mmapstress/report/report.hpp"
#include "tools/schedule/op_source.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace mmapstress {

/// What a file that is to be replayed holds.
enum class Holds : std::uint8_t { schedule, report, recorded };

/// By what is in it: a report is one JSON object that says so in its "format"; recorded schedules
/// are JSON objects, one a line; all else is taken for a schedule's text. Pure; any thread.
Holds what_it_holds(std::string_view text);

/// The operations of the run that a report tells of: from the schedule's text, made again by the
/// workload, or from the file that has the schedule. The error says in words why there are none.
std::expected<OpSourceFactory, std::string> source_of_report(const Report& report);

/// The same operations all at once.
std::expected<Schedule, std::string> schedule_of_report(const Report& report);

/// The schedule that `text` is, or that the report which it is tells of. The error says in words
/// what is wrong, with the line where there is one.
std::expected<Schedule, std::string> schedule_of_text(std::string_view text);

/// The same from a file. The error names it.
std::expected<Schedule, std::string> load_schedule(const std::string& path);

} // namespace mmapstress
