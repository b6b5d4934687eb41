// Random lists of operations.
#pragma once

#include "tests/mounted/differential/operation.hpp"

#include <cstdint>
#include <set>
#include <vector>

namespace partialfs::differential {

/// `count` operations that depend on `seed` and `left_out` only. Opening, writing, mapping, copying
/// and checking files is far more frequent than changes of names.
[[nodiscard]] std::vector<Operation> generate(std::uint64_t seed, std::size_t count,
                                              const std::set<Kind>& left_out);

} // namespace partialfs::differential
