// The sentences that the explanation as text and the one as a page share.
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

/// What stands in their place.
std::string instead_words(const RunResult& result, const DamagedRange& damage);

/// The shell command that carries the report's schedule out again in the directory where it ran.
/// `report` is the path of the report.
std::string replay_line(const RunResult& result, const std::string& report);

} // namespace mmapstress
