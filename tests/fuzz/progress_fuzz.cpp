// Any text is either a run's progress, or an error with a reason; progress that is read is in
// order.
#include "tools/mmapstress/report/progress_file.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto progress = mmapstress::parse_progress(text, "mmapstress.a1b2c3");
    if (!progress) {
        if (progress.error().empty()) {
            std::abort();
        }
        return 0;
    }
    if (!std::ranges::is_sorted(progress->done) || progress->last_done() > progress->begun) {
        std::abort();
    }
    return 0;
}
