// Lists of byte ranges of one file.
#pragma once

#include "fusefs/model/types.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace partialfs::model {

/// The maximal ranges in which `memory` and `disk` differ, as ranges of the file that begin at
/// `begin`. A shorter `disk` reads as zeros past its end, as a hole does.
std::vector<ByteRange> differing_ranges(std::span<const std::byte> memory,
                                        std::span<const std::byte> disk, ByteOffset begin);

/// The same bytes as ascending ranges that neither overlap nor touch; empty ranges are left out.
std::vector<ByteRange> joined(std::vector<ByteRange> ranges);

/// The bytes of `ranges` that are in none of `taken`. Both as joined() makes them.
std::vector<ByteRange> without(std::span<const ByteRange> ranges, std::span<const ByteRange> taken);

} // namespace partialfs::model
