// How bytes came to be missing that nothing of the VM lost: a rule of faults left them out, or a
// power cut took them.
//
// Pure: no I/O.
#pragma once

#include "tools/mmapstress/explain/loss_chain.hpp"

#include <vector>

namespace mmapstress {

/// Whether an event is of no file in particular, but of all.
bool concerns_all_files(const TraceEvent& event);

/// The steps that took `damage`, if a fault or a cut did: what was made of it, the rules that
/// struck its file, the cut. `events` are those of the damaged file and those that concern all
/// files, in order. Empty if they do not tell of any.
std::vector<ChainStep> taken_chain(const DamagedRange& damage,
                                   const std::vector<TraceEvent>& events, const OpTimes& times);

} // namespace mmapstress
