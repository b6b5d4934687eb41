// Finds out which operations the kernel, or the filesystem under test, does not have.
#pragma once

#include "tools/mmapstress/engine/executor.hpp"
#include "tools/mmapstress/engine/run_directory.hpp"
#include "tools/mmapstress/result/run_result.hpp"

#include <string>
#include <vector>

namespace mmapstress {

/// Tries each operation of `kinds` that may be lacking (op.hpp) once, on a temporary file, or on
/// the device. It is lacking if it fails with an errno that means this (ENOSYS, EOPNOTSUPP, EINVAL,
/// EPERM...). Any other errno, for example of a full disk, is a failure.
Outcome<std::vector<LeftOut>> find_lacking(const OpSet& kinds, RunDirectory& directory,
                                           const std::string& helper_directory,
                                           CommitWatch& commits);

} // namespace mmapstress
