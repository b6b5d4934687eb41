#include "tools/mmapstress/result/damage.hpp"

#include <algorithm>

namespace mmapstress {

std::uint64_t alignment_of(ByteRange range) {
    const std::uint64_t ends = range.begin.value | range.end.value | kPageSize;
    return ends & (~ends + 1);
}

std::vector<DamagedBytes> wrong_bytes(const std::vector<DamagedRange>& damage, Stage stage) {
    std::vector<DamagedBytes> ranges;
    for (const DamagedRange& range : damage) {
        if (range.in(stage)) {
            ranges.push_back({range.file, range.range});
        }
    }
    std::ranges::sort(ranges);
    std::vector<DamagedBytes> joined;
    for (const DamagedBytes& next : ranges) {
        if (!joined.empty() && joined.back().file == next.file &&
            next.range.begin <= joined.back().range.end) {
            joined.back().range.end = std::max(joined.back().range.end, next.range.end);
        } else {
            joined.push_back(next);
        }
    }
    return joined;
}

} // namespace mmapstress
