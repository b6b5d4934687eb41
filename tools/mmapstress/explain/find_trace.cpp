// Finds the trace of a mounted partialfs.
#include "fusefs/base/try.hpp"
#include "tools/mmapstress/explain/trace_file.hpp"
#include "tools/mmapstress/system/files.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>

namespace mmapstress {

namespace {

using nlohmann::json;
using Events = std::vector<TraceEvent>;

std::expected<Events, std::string> events_of(const std::string& path) {
    const auto text = TRY(read_file(path));
    auto events = parse_trace(text);
    return events ? std::move(events) : std::unexpected(path + ", " + events.error());
}

/// The file that the mount writes its trace to, empty if it writes none.
std::expected<std::string, std::string> trace_file(const std::string& status_path) {
    const auto text = TRY(read_file(status_path));
    const json status = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!status.is_object()) {
        return std::unexpected(status_path + ": not a JSON object");
    }
    const auto file = status.find("trace_file");
    return file != status.end() && file->is_string() ? file->get<std::string>() : std::string();
}

} // namespace

std::expected<Events, std::string> trace_of_mount(const std::string& mount) {
    const std::string control = mount + "/.partialfs/";
    const auto file = TRY(trace_file(control + "status"));
    // First the file, then the latest events: the file lags behind, and they have what it lacks.
    Events all;
    if (!file.empty()) {
        all = TRY(events_of(file));
    }
    const std::uint64_t last = all.empty() ? 0 : all.back().sequence;
    const Events latest = TRY(events_of(control + "trace"));
    std::ranges::copy_if(latest, std::back_inserter(all),
                         [&](const TraceEvent& event) { return event.sequence > last; });
    return all;
}

} // namespace mmapstress
