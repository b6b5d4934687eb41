// Delta debugging: the smallest part of something that still fails.
//
// Knows nothing of operations or files: items are numbers, and the caller says whether a candidate
// still fails. Pure but for what that question does. Not thread-safe.
#pragma once

#include "fusefs/model/types.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace mmapstress {

/// Whether a candidate, the items kept in ascending order, still fails. May end the search early by
/// answering false to everything that follows: the best found so far is what is returned.
using StillFails = std::function<bool(std::span<const std::size_t>)>;

/// The items of `items`, of which all together fail, that cannot be left out: leaving out any
/// single one more no longer fails (1-minimal). Asks about ever smaller pieces, as delta debugging
/// does (Zeller and Hildebrandt 2002), leaving pieces out from the end first, since what follows a
/// failure cannot be its cause. About 2 k log2(n) questions for k items left of n.
std::vector<std::size_t> minimise_items(std::vector<std::size_t> items,
                                        const StillFails& still_fails);

/// The shortest range inside `range`, which fails, that still fails when cut from either end: no
/// single byte more can go from its begin or its end.
partialfs::model::ByteRange
minimise_range(partialfs::model::ByteRange range,
               const std::function<bool(partialfs::model::ByteRange)>& still_fails);

} // namespace mmapstress
