// Finds the trace of a mounted partialfs.
#include "tools/mmapstress/report.hpp"
#include "tools/mmapstress/trace_file.hpp"

#include <nlohmann/json.hpp>

namespace mmapstress {

using nlohmann::json;

std::expected<std::vector<TraceEvent>, std::string> trace_of_mount(const std::string& mount) {
    const std::string control = mount + "/.partialfs/";
    std::string path = control + "trace";
    const auto status_text = read_file(control + "status");
    if (!status_text) {
        return std::unexpected(status_text.error());
    }
    const json status = json::parse(*status_text, nullptr, /*allow_exceptions=*/false);
    if (const auto file = status.find("trace_file");
        status.is_object() && file != status.end() && file->is_string()) {
        path = file->get<std::string>();
    }
    const auto text = read_file(path);
    if (!text) {
        return std::unexpected(text.error());
    }
    auto events = parse_trace(*text);
    return events ? std::move(events) : std::unexpected(path + ", " + events.error());
}

} // namespace mmapstress
