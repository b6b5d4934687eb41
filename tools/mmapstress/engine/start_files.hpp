// The files of a run, as they are before its first operation.
#pragma once

#include "tools/mmapstress/engine/run_directory.hpp"
#include "tools/mmapstress/system/failure.hpp"
#include "tools/schedule/schedule.hpp"

namespace mmapstress {

/// Makes the files in the directory with their first bytes, as the header says. Fails with ENODEV
/// if the filesystem has no shared writable mappings, so that the first store need not fail.
Outcome<> start_files(RunDirectory& directory, const Header& header, CommitWatch& commits);

} // namespace mmapstress
