// Any text is either a recorded schedule, or an error with a reason; it converts to a valid
// schedule.
#include "tools/schedule/golden.hpp"

#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto recorded = mmapstress::parse_golden(text);
    if (!recorded) {
        if (recorded.error().empty()) {
            std::abort();
        }
        return 0;
    }
    if (mmapstress::check_schedule(recorded->schedule)) {
        std::abort();
    }
    return 0;
}
