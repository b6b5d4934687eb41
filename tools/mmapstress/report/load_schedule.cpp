#include "tools/mmapstress/report/load_schedule.hpp"

#include "fusefs/base/try.hpp"
#include "tools/mmapstress/report/report_words.hpp"
#include "tools/mmapstress/system/files.hpp"
#include "tools/mmapstress/workloads/workload.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace mmapstress {

namespace {

OpSourceFactory owning_source(Schedule schedule) {
    return [owned = std::make_shared<const Schedule>(std::move(schedule))] {
        return std::make_unique<ScheduleSource>(*owned);
    };
}

std::expected<OpSourceFactory, std::string> source_of_text(std::string_view text) {
    auto schedule = parse_schedule(text);
    if (!schedule) {
        return std::unexpected("the report's schedule, " + schedule.error().message());
    }
    return owning_source(std::move(*schedule));
}

/// The workload makes its operations again.
std::expected<OpSourceFactory, std::string> source_made_again(const Report& report) {
    const std::string& name = report.result.header.workload;
    const WorkloadInfo* const workload = workload_named(name);
    if (workload == nullptr || report.made_by != kToolVersion) {
        return std::unexpected("the report has no schedule, and this is mmapstress " +
                               std::string(kToolVersion) + ": the workload '" + name + "' of " +
                               report.made_by + " may have made another one");
    }
    const WorkloadSettings settings = *report.result.settings;
    if (auto source = workload->make(settings); !source) {
        return std::unexpected("the report's settings: " + source.error());
    }
    OpSourceFactory factory = [make = workload->make, settings] {
        auto source = make(settings);
        return std::move(*source); // the same settings have just been accepted
    };
    return leaving_out(std::move(factory), all_of(report.result.left_out));
}

} // namespace

std::expected<OpSourceFactory, std::string> source_of_report(const Report& report) {
    if (!report.result.schedule.empty()) {
        return source_of_text(report.result.schedule);
    }
    if (report.result.settings) {
        return source_made_again(report);
    }
    if (!report.result.schedule_file.empty()) {
        const auto text = read_file(report.result.schedule_file);
        return text ? source_of_text(*text) : std::unexpected(text.error());
    }
    return std::unexpected("the report has no schedule: the run was too long to keep it; run "
                           "with --schedule FILE");
}

std::expected<Schedule, std::string> schedule_of_report(const Report& report) {
    const auto source = TRY(source_of_report(report));
    return schedule_of(*(source)());
}

Holds what_it_holds(std::string_view text) {
    const auto object = [](std::string_view json) {
        return nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
    };
    if (text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size())).starts_with('{')) {
        const auto all = object(text);
        if (all.is_object()) {
            return all.contains("format") ? Holds::report : Holds::recorded;
        }
        // Several objects, or a broken one: the error is reported when it is read.
        return object(text.substr(0, text.find('\n'))).is_object() ? Holds::recorded
                                                                   : Holds::report;
    }
    return Holds::schedule;
}

std::expected<Schedule, std::string> schedule_of_text(std::string_view text) {
    if (what_it_holds(text) != Holds::schedule) {
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
    const auto text = TRY(read_file(path));
    auto schedule = schedule_of_text(text);
    return schedule ? std::move(schedule) : std::unexpected(path + ": " + schedule.error());
}

} // namespace mmapstress
