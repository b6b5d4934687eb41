#include "fusefs/model/byte_ranges.hpp"

#include <algorithm>

namespace partialfs::model {

std::vector<ByteRange> differing_ranges(std::span<const std::byte> memory,
                                        std::span<const std::byte> disk, ByteOffset begin) {
    const auto differs = [&](std::size_t i) {
        return memory[i] != (i < disk.size() ? disk[i] : std::byte{0});
    };
    std::vector<ByteRange> ranges;
    for (std::size_t i = 0; i < memory.size();) {
        if (!differs(i)) {
            ++i;
            continue;
        }
        const std::size_t first = i;
        while (i < memory.size() && differs(i)) {
            ++i;
        }
        ranges.push_back({begin + ByteCount{first}, begin + ByteCount{i}});
    }
    return ranges;
}

std::vector<ByteRange> joined(std::vector<ByteRange> ranges) {
    std::ranges::sort(ranges);
    std::vector<ByteRange> all;
    for (const ByteRange& range : ranges) {
        if (range.empty()) {
            continue;
        }
        if (!all.empty() && range.begin <= all.back().end) {
            all.back().end = std::max(all.back().end, range.end);
        } else {
            all.push_back(range);
        }
    }
    return all;
}

std::vector<ByteRange> without(std::span<const ByteRange> ranges,
                               std::span<const ByteRange> taken) {
    std::vector<ByteRange> left;
    auto next = taken.begin();
    for (ByteRange range : ranges) {
        while (next != taken.end() && next->end <= range.begin) {
            ++next;
        }
        for (auto here = next; here != taken.end() && here->begin < range.end; ++here) {
            if (range.begin < here->begin) {
                left.push_back({range.begin, here->begin});
            }
            range.begin = here->end;
        }
        if (!range.empty()) {
            left.push_back(range);
        }
    }
    return left;
}

} // namespace partialfs::model
