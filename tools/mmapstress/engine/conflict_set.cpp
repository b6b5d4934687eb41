#include "tools/mmapstress/engine/conflict_set.hpp"

#include <algorithm>
#include <iterator>

namespace mmapstress {

bool ConflictSet::add(FileIndex file, ByteRange range, WorkerIndex by) {
    auto first = ranges_.upper_bound({file, range.begin});
    if (first != ranges_.begin()) {
        const auto before = std::prev(first);
        if (before->first.first == file && before->second.end > range.begin) {
            first = before;
        }
    }
    auto last = first;
    while (last != ranges_.end() && last->first.first == file && last->first.second < range.end) {
        if (last->second.by != by) {
            return false;
        }
        ++last;
    }
    // The range is merged with the worker's own ranges that it overlaps.
    if (first != last) {
        range.begin = std::min(range.begin, first->first.second);
        range.end = std::max(range.end, std::prev(last)->second.end);
        ranges_.erase(first, last);
    }
    ranges_[{file, range.begin}] = Touched{range.end, by};
    return true;
}

} // namespace mmapstress
