// What an operation makes durable once it has returned.
//
// Pure; any thread.
#pragma once

#include "tools/schedule/schedule.hpp"

#include <cstdint>
#include <string_view>

namespace mmapstress {

enum class Durable : std::uint8_t {
    nothing,   ///< nothing is promised, as of sync_file_range and msync-async
    range,     ///< the operation's range of its file, rounded out to pages; not the file's size
    file,      ///< its file, size included
    all_files, ///< all files
};

/// What sync(2) and syncfs(2) do on a filesystem.
enum class SyncReaches : std::uint8_t {
    disk,    ///< all is durable when they return
    nothing, ///< dirty pages are sent to a server, which is not asked to make them durable
};

/// For a filesystem of this type, as mountinfo names it. A FUSE daemon is never asked (FUSE_SYNCFS
/// is for virtiofs, and for block devices since Linux 6.18); what other servers do is not known.
SyncReaches sync_reaches(std::string_view filesystem);

/// What POSIX and the manual pages of Linux promise about `op`. `commit_by` is the schedule's.
Durable durable_after(const Op& op, CommitBy commit_by, SyncReaches sync);

} // namespace mmapstress
