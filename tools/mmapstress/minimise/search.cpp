#include "tools/mmapstress/minimise/search.hpp"

#include <algorithm>

namespace mmapstress {

using partialfs::model::ByteOffset;
using partialfs::model::ByteRange;

namespace {

/// One pass over `items`: each piece of `length` items is left out if the rest still fails.
/// True if any was.
bool leave_out(std::vector<std::size_t>& items, std::size_t length, const StillFails& still_fails) {
    bool smaller = false;
    std::size_t end = items.size();
    while (end > 0) {
        const std::size_t begin = end - std::min(end, length);
        std::vector<std::size_t> candidate(items.begin(),
                                           items.begin() + static_cast<std::ptrdiff_t>(begin));
        candidate.insert(candidate.end(), items.begin() + static_cast<std::ptrdiff_t>(end),
                         items.end());
        if (still_fails(candidate)) {
            items = std::move(candidate);
            smaller = true;
        }
        end = begin;
    }
    return smaller;
}

} // namespace

std::vector<std::size_t> minimise_items(std::vector<std::size_t> items,
                                        const StillFails& still_fails) {
    for (std::size_t length = (items.size() + 1) / 2; length > 1; length = (length + 1) / 2) {
        leave_out(items, length, still_fails);
    }
    // Without one item, another that was needed before may be dispensable: until a pass finds none.
    while (leave_out(items, 1, still_fails)) {
    }
    return items;
}

ByteRange minimise_range(ByteRange range, const std::function<bool(ByteRange)>& still_fails) {
    for (std::uint64_t cut = range.size().value / 2; cut > 0;) {
        const ByteRange without_end{range.begin, ByteOffset{range.end.value - cut}};
        const ByteRange without_begin{ByteOffset{range.begin.value + cut}, range.end};
        if (cut < range.size().value && still_fails(without_end)) {
            range = without_end;
        } else if (cut < range.size().value && still_fails(without_begin)) {
            range = without_begin;
        } else {
            cut = cut == 1 ? 0 : (cut + 1) / 2;
            continue;
        }
        cut = std::min(cut, std::max<std::uint64_t>(1, range.size().value / 2));
    }
    return range;
}

} // namespace mmapstress
