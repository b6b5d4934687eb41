// How a store came to be lost, step by step, from the trace of the filesystem that lost it.
//
// Pure: no I/O.
#pragma once

#include "tools/mmapstress/explain/trace_file.hpp"
#include "tools/mmapstress/result/damage.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mmapstress {

/// When operations began, by CLOCK_MONOTONIC, as in the trace.
using OpTimes = std::map<OpId, partialfs::model::Nanoseconds>;

/// One step. The time of an operation may not have been recorded.
struct ChainStep {
    std::optional<partialfs::model::Nanoseconds> time;
    OpId op;          ///< the operation that the step is; 0: the filesystem did it
    std::string what; ///< in words

    bool operator==(const ChainStep&) const = default;
};

/// The steps that lost `damage`: those of taken_chain() if there are any; else stored, flushed by a
/// commit, stored again, passed over by writepage. Empty if the events do not show the loss.
/// `events` are those of the damaged file and those that concern all files, in order.
std::vector<ChainStep> loss_chain(const DamagedRange& damage, const std::vector<TraceEvent>& events,
                                  const OpTimes& times);

} // namespace mmapstress
