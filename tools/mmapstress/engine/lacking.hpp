// Which operations the kernel, or the filesystem under test, does not have.
#pragma once

#include "tools/mmapstress/engine/executor.hpp"
#include "tools/mmapstress/engine/run_directory.hpp"
#include "tools/mmapstress/result/run_result.hpp"

#include <string>
#include <vector>

namespace mmapstress {

/// Tries each operation of `kinds` that may be lacking (op.hpp) once, on a file of its own, which
/// is removed again, or on the device. What answers with an error that says so (ENOSYS,
/// EOPNOTSUPP, EINVAL, EPERM...) is lacking; any other error, a full disk say, is a failure.
Outcome<std::vector<LeftOut>> find_lacking(const OpSet& kinds, RunDirectory& directory,
                                           const std::string& helper_directory,
                                           CommitWatch& commits);

} // namespace mmapstress
