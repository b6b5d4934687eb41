// Delta debugging: the smallest part of something that still fails.
//
// Knows nothing of operations or files: items are numbers, and a function of the caller says
// whether a candidate still fails. Pure but for that function. Not thread-safe.
#pragma once

#include "fusefs/model/types.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace mmapstress {

/// Whether a candidate (the items kept, in ascending order) still fails. To end the search early,
/// return false from then on: the search returns the best found so far.
using StillFails = std::function<bool(std::span<const std::size_t>)>;

/// A part of `items` that still fails, but no longer does without any single one of its items
/// (1-minimal). All `items` together must fail. Tries ever smaller pieces, as delta debugging does
/// (Zeller and Hildebrandt 2002), and leaves out pieces at the end first, since what follows a
/// failure cannot be its cause. About 2 k log2(n) calls of `still_fails` for k items left of n.
std::vector<std::size_t> minimise_items(std::vector<std::size_t> items,
                                        const StillFails& still_fails);

/// The shortest range inside `range`, which fails, that still fails when cut from either end: no
/// single byte more can go from its begin or its end.
partialfs::model::ByteRange
minimise_range(partialfs::model::ByteRange range,
               const std::function<bool(partialfs::model::ByteRange)>& still_fails);

} // namespace mmapstress
