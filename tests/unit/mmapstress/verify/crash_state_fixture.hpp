// What the tests of CrashState share: schedules, progress, and the bytes that it refuses.
#pragma once

#include "tools/mmapstress/verify/crash_state.hpp"
#include "tools/schedule/schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mmapstress {

inline constexpr FileIndex kFile{0};

inline Schedule schedule_of_lines(const std::string& lines) {
    auto schedule = parse_schedule("mmapstress-schedule 1\nseed 9\n" + lines);
    EXPECT_TRUE(schedule) << schedule.error().message();
    return std::move(*schedule);
}

inline RunProgress progress_of(std::uint64_t begun, std::vector<OpId> done) {
    return {OpId{begun}, std::move(done), false};
}

/// The offsets of all bytes of `disk` that a crash may not have left.
inline std::vector<std::uint64_t> refused(CrashState& state, const std::vector<std::byte>& disk) {
    std::vector<std::uint64_t> offsets;
    state.settle(kFile, ByteCount{disk.size()});
    const std::uint64_t size = state.expected().size(kFile).value;
    for (std::uint64_t at = size; at < disk.size(); ++at) {
        offsets.push_back(at); // too long
    }
    for (std::uint64_t at = disk.size(); at < size; ++at) {
        offsets.push_back(at); // too short
    }
    const std::span<const std::byte> have = std::span(disk).first(std::min(size, disk.size()));
    state.expected().compare(kFile, ByteOffset{0}, have, [&](ByteRange range, Writer /*writer*/) {
        state.refuse(kFile, range, have.subspan(range.begin.value, range.size().value),
                     [&](ByteRange part) {
                         for (std::uint64_t at = part.begin.value; at != part.end.value; ++at) {
                             offsets.push_back(at);
                         }
                     });
    });
    return offsets;
}

} // namespace mmapstress
