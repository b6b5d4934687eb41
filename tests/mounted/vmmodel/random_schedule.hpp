// Random schedules of every kind of operation, short enough that many of them can be run.
#pragma once

#include "tools/schedule/schedule.hpp"

#include <cstdint>
#include <string>

namespace vmmodel::testing {

/// The same seed gives the same schedule. Every fsync, fdatasync and msync has an fchmod before it,
/// so that whether it commits does not depend on the clock.
mmapstress::Schedule random_schedule(std::uint64_t seed, std::uint32_t block_size);

} // namespace vmmodel::testing
