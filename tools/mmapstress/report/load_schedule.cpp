#include "tools/mmapstress/report/load_schedule.hpp"

#include "tools/mmapstress/report/report.hpp"
#include "tools/mmapstress/verify/recheck.hpp"

namespace mmapstress {

std::expected<Schedule, std::string> schedule_of_text(std::string_view text) {
    if (text.starts_with('{')) {
        const auto report = parse_report(text);
        return report ? schedule_of_report(*report) : std::unexpected(report.error());
    }
    auto schedule = parse_schedule(text);
    if (!schedule) {
        return std::unexpected(schedule.error().message());
    }
    return std::move(*schedule);
}

std::expected<Schedule, std::string> load_schedule(const std::string& path) {
    const auto text = read_file(path);
    if (!text) {
        return std::unexpected(text.error());
    }
    auto schedule = schedule_of_text(*text);
    return schedule ? std::move(schedule) : std::unexpected(path + ": " + schedule.error());
}

} // namespace mmapstress
