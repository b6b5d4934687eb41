// The sentences that both explanations, as text and as an HTML page, use.
//
// Pure: no I/O.
#pragma once

#include "tools/mmapstress/result/run_result.hpp"

#include <string>

namespace mmapstress {

/// "operation 17 store file=0 ...", or "the file's start".
std::string op_words(const RunResult& result, OpId op);

/// Whose bytes were lost.
std::string lost_words(const RunResult& result, const DamagedRange& damage);

/// Which bytes are there instead.
std::string instead_words(const RunResult& result, const DamagedRange& damage);

/// The shell command that carries out the schedule of the report at `report` again, in the
/// directory where it ran.
std::string replay_line(const RunResult& result, const std::string& report);

} // namespace mmapstress
