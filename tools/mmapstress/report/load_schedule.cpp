#include "tools/mmapstress/report/load_schedule.hpp"

#include "tools/mmapstress/system/files.hpp"

namespace mmapstress {

std::expected<Schedule, std::string> schedule_of_report(const Report& report) {
    std::string text = report.result.schedule;
    if (text.empty() && !report.result.schedule_file.empty()) {
        auto read = read_file(report.result.schedule_file);
        if (!read) {
            return std::unexpected(read.error());
        }
        text = std::move(*read);
    }
    if (text.empty()) {
        return std::unexpected("the report has no schedule: the run was too long to keep it; run "
                               "with --schedule FILE");
    }
    auto schedule = parse_schedule(text);
    if (!schedule) {
        return std::unexpected("the report's schedule, " + schedule.error().message());
    }
    return std::move(*schedule);
}

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
