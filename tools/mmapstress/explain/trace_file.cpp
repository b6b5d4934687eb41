#include "tools/mmapstress/explain/trace_file.hpp"

#include <nlohmann/json.hpp>

namespace mmapstress {
namespace {

using nlohmann::json;
using partialfs::model::ByteOffset;
using partialfs::model::Nanoseconds;
using partialfs::model::PageIndex;

TraceEvent event_of(const json& line) {
    TraceEvent event;
    event.time = Nanoseconds{line.at("t").get<std::uint64_t>()};
    event.sequence = line.value("seq", std::uint64_t{0});
    event.event = line.at("event").get<std::string>();
    event.inode = line.value("inode", std::uint64_t{0});
    event.path = line.value("path", std::string{});
    if (const auto page = line.find("page"); page != line.end()) {
        event.page = PageIndex{page->get<std::uint64_t>()};
    }
    event.blocks = line.value("blocks", std::string{});
    event.written = line.value("written", std::string{});
    event.skipped = line.value("skipped", std::string{});
    event.commit = line.value("commit", std::uint64_t{0});
    const auto offset = line.value("offset", std::uint64_t{0});
    event.bytes = {ByteOffset{offset}, ByteOffset{offset + line.value("length", std::uint64_t{0})}};
    event.operation = line.value("operation", std::string{});
    event.action = line.value("action", std::string{});
    event.rule = line.value("rule", std::uint64_t{0});
    event.error = line.value("errno", 0);
    event.amount = line.value("amount", std::uint64_t{0});
    event.size_was = line.value("size_was", std::uint64_t{0});
    event.size_is = line.value("size_is", std::uint64_t{0});
    return event;
}

} // namespace

bool TraceEvent::touches(PageIndex wanted) const {
    if (page) {
        return *page == wanted;
    }
    if (event == "truncate") {
        return bytes.begin < partialfs::model::range_of(wanted).end;
    }
    return !intersect(bytes, partialfs::model::range_of(wanted)).empty();
}

std::expected<std::vector<TraceEvent>, std::string> parse_trace(std::string_view text) {
    std::vector<TraceEvent> events;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t length = text.find('\n');
        if (length == std::string_view::npos) {
            break;
        }
        const std::string_view line = text.substr(0, length);
        text.remove_prefix(length + 1);
        if (line.empty()) {
            continue;
        }
        try {
            events.push_back(event_of(json::parse(line)));
        } catch (const json::exception& error) {
            return std::unexpected("line " + std::to_string(number) +
                                   ": not JSON, or not an event of partialfs");
        }
    }
    return events;
}

} // namespace mmapstress
