// Any text is a report or an error with a reason; a report survives printing and reading again.
#include "tools/mmapstress/report/report.hpp"

#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto report = mmapstress::parse_report(text);
    if (!report) {
        if (report.error().empty()) {
            std::abort();
        }
        return 0;
    }
    const std::string printed = mmapstress::report_json(report->result, report->state);
    const auto again = mmapstress::parse_report(printed);
    if (!again || mmapstress::report_json(again->result, again->state) != printed) {
        std::abort();
    }
    return 0;
}
