#include "tools/schedule/op_source.hpp"

#include <algorithm>

namespace mmapstress {

bool ScheduleSource::more(std::vector<Op>& out) {
    constexpr std::size_t kAtOnce = 256;
    const std::size_t count = std::min(kAtOnce, schedule_.ops.size() - next_);
    const auto first = schedule_.ops.begin() + static_cast<std::ptrdiff_t>(next_);
    out.insert(out.end(), first, first + static_cast<std::ptrdiff_t>(count));
    next_ += count;
    return count != 0;
}

OpSourceFactory source_of(const Schedule& schedule) {
    return [&schedule] { return std::make_unique<ScheduleSource>(schedule); };
}

Schedule schedule_of(OpSource& source) {
    Schedule schedule{source.header(), {}};
    while (source.more(schedule.ops)) {
    }
    return schedule;
}

} // namespace mmapstress
