// A part of a campaign: the rounds that one of several machines runs.
#pragma once

#include <cstdint>

namespace mmapstress {

/// The N shards of a campaign together run what one run of the same seed would: shard K has the
/// seeds seed + K - 1, seed + K - 1 + N, and so on, so that no two shards run the same schedule.
struct Shard {
    std::uint32_t number = 1; ///< K, from 1
    std::uint32_t of = 1;     ///< N
    std::uint64_t seed = 1;   ///< the campaign's

    bool operator==(const Shard&) const = default;
    /// The seed of the first round. That of each later round is `of` higher.
    [[nodiscard]] std::uint64_t first_seed() const { return seed + number - 1; }
};

} // namespace mmapstress
