// The files of a run, as they are before its first operation.
#pragma once

#include "tools/mmapstress/engine/run_directory.hpp"
#include "tools/mmapstress/system/failure.hpp"
#include "tools/schedule/schedule.hpp"

namespace mmapstress {

/// Makes the files in the directory as the header says they start. Fails with ENODEV where the
/// filesystem has no shared writable mappings: better said now than at the first store.
Outcome<> start_files(RunDirectory& directory, const Header& header, CommitWatch& commits);

} // namespace mmapstress
