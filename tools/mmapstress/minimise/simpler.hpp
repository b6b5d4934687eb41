// What a schedule, or an operation, is when a part of it is left out.
#pragma once

#include "tools/schedule/schedule.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace mmapstress {

// All of these are pure; any thread may call them.

/// All operations by the first worker, and no other.
void use_one_worker(Schedule& schedule);

/// Leaves out the files that no operation names, and numbers the others anew. Where none is named
/// all stay.
void leave_out_unused_files(Schedule& schedule);

/// The file only as large as its operations need, in whole pages, and never larger than it is.
void shrink_file(Schedule& schedule, FileIndex file);

/// `op` with the part `range` of its range only, and the bytes that it put there.
Op cut(const Op& op, ByteRange range);

/// The operations at these positions only.
Schedule with_ops(const Schedule& schedule, std::span<const std::size_t> kept);

/// Positions among the operations of what concerns the page: commits and flushes are included, and
/// so is what changes the file's size, for without it the others may reach past the end.
std::vector<std::size_t> past_of(const Schedule& schedule, FileIndex file, PageIndex page);

} // namespace mmapstress
