// Explains wrong bytes: which operation was lost, and which operation's bytes are there instead.
#pragma once

#include "tools/mmapstress/result/damage.hpp"
#include "tools/mmapstress/verify/collector.hpp"
#include "tools/schedule/op_source.hpp"

#include <map>
#include <string>
#include <vector>

namespace mmapstress {

struct Classified {
    std::vector<DamagedRange> damage; ///< ordered by file and offset
    /// The text lines of all operations that `damage` and the bytes past EOF name.
    std::map<OpId, std::string> named_ops;
};

/// Explains the findings by walking through the operations once more, up to and including `last`.
/// A finding that is wrong in several ways becomes several ranges. Memory grows with the findings,
/// not with the schedule. Of `past_eof`, which is no damage, only the operations are named.
Classified classify(std::vector<Finding> findings, const std::vector<PastEof>& past_eof,
                    const OpSourceFactory& factory, OpId last);

} // namespace mmapstress
