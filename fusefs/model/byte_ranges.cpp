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

} // namespace partialfs::model
