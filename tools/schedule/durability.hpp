// What an operation makes durable once it has returned.
//
// Pure; any thread.
#pragma once

#include "tools/schedule/schedule.hpp"

#include <cstdint>

namespace mmapstress {

enum class Durable : std::uint8_t {
    nothing,   ///< or nothing that is promised: sync_file_range and msync-async are among these
    range,     ///< the operation's range of its file, rounded out to pages; not the file's size
    file,      ///< its file, size included
    all_files, ///< all files
};

/// What POSIX and the manual pages of Linux promise of it. `commit_by` is the schedule's.
Durable durable_after(const Op& op, CommitBy commit_by);

} // namespace mmapstress
