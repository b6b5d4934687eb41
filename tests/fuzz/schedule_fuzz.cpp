// Any text is a schedule or an error with a reason; a schedule survives printing and reading again.
#include "tools/schedule/schedule.hpp"

#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto schedule = mmapstress::parse_schedule(text);
    if (!schedule) {
        if (schedule.error().reason.empty()) {
            std::abort();
        }
        return 0;
    }
    const auto again = mmapstress::parse_schedule(mmapstress::print_schedule(*schedule));
    if (!again || !(*again == *schedule)) {
        std::abort();
    }
    return 0;
}
