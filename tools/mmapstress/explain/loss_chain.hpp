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

/// When operations began, by the clock that the trace uses too (CLOCK_MONOTONIC).
using OpTimes = std::map<OpId, partialfs::model::Nanoseconds>;

/// One step: at some time, or (an operation whose time nobody noted) at one that is not known.
struct ChainStep {
    std::optional<partialfs::model::Nanoseconds> time;
    OpId op;          ///< the operation that it is; 0: none, it is the filesystem's doing
    std::string what; ///< in words

    bool operator==(const ChainStep&) const = default;
};

/// The steps that lost `damage`: stored, flushed by a commit, stored again, passed over by
/// writepage; or, if that is not how, those of taken_chain(). Empty if the events do not tell of
/// the loss. `events` are those of the damaged file and those that concern all files, in order.
std::vector<ChainStep> loss_chain(const DamagedRange& damage, const std::vector<TraceEvent>& events,
                                  const OpTimes& times);

} // namespace mmapstress
