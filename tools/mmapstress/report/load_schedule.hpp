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

/// Decides by the content: a report is one JSON object that says so in its "format"; recorded
/// schedules are JSON objects, one a line; everything else counts as a schedule's text. Pure; any
/// thread.
Holds what_it_holds(std::string_view text);

/// The operations of the report's run: from the schedule's text in the report, from the workload,
/// which makes them again, or from the schedule's file. The error says in words why there are none.
std::expected<OpSourceFactory, std::string> source_of_report(const Report& report);

/// The same operations all at once.
std::expected<Schedule, std::string> schedule_of_report(const Report& report);

/// The schedule in `text`, which is a schedule's text or a report. The error says in words what is
/// wrong, with the line where there is one.
std::expected<Schedule, std::string> schedule_of_text(std::string_view text);

/// The same from a file. The error names it.
std::expected<Schedule, std::string> load_schedule(const std::string& path);

} // namespace mmapstress
