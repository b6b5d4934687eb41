// How bytes were lost by other causes than the VM: an injected fault kept them from the disk, or a
// power cut removed them.
//
// Pure: no I/O.
#pragma once

#include "tools/mmapstress/explain/loss_chain.hpp"

#include <vector>

namespace mmapstress {

/// Whether an event concerns all files, not a particular one.
bool concerns_all_files(const TraceEvent& event);

/// The steps that lost `damage`, if a fault or a power cut did: the operation that made the bytes,
/// the faults of its file, the cut. `events` are those of the damaged file and those that concern
/// all files, in order. Empty if they show no such cause.
std::vector<ChainStep> taken_chain(const DamagedRange& damage,
                                   const std::vector<TraceEvent>& events, const OpTimes& times);

} // namespace mmapstress
