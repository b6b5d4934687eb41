// A schedule, or an operation, with a part left out.
#pragma once

#include "tools/schedule/schedule.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace mmapstress {

// All of these are pure; any thread may call them.

/// The first worker carries out all operations, and there is no other.
void use_one_worker(Schedule& schedule);

/// Leaves out the files that no operation names, and renumbers the others. If no file is named, all
/// stay.
void leave_out_unused_files(Schedule& schedule);

/// Makes the file only as large as its operations need, in whole pages, and never larger than it
/// is.
void shrink_file(Schedule& schedule, FileIndex file);

/// `op` with only `range`, a part of its range, and the same bytes there.
Op cut(const Op& op, ByteRange range);

/// The operations at these positions only.
Schedule with_ops(const Schedule& schedule, std::span<const std::size_t> kept);

/// Positions of the operations that concern the page, commits and flushes included, and of each
/// truncate, append, collapse and insert of the file: without these, others may reach past its end.
std::vector<std::size_t> past_of(const Schedule& schedule, FileIndex file, PageIndex page);

} // namespace mmapstress
