// Reads recorded schedules: what a genuine kernel did, one JSON object a line.
//
// Each line has the block size, the files (all of one size, started alike), the operations, how the
// run ended and the damage that was found on disk. They become an ordinary Schedule; stored bytes
// are fill= contents, operation ids count the start-writes and operations from 1.
//
//     start    sparse, written, written+fsync (every byte 255), partial+fsync with "start_writes"
//     ops      store, pwrite (v: the byte value), commit, sync_file_range, fsync, fdatasync, msync
//              ("commits": whether it committed), fchmod, pread (read-check), read_fault, remap,
//              mprotect_ro_rw (mprotect), madvise_dontneed, truncate (size), append, punch, mmap
//              (map), munmap (unmap), fork_store, msync_async, sync, evict
//     damage   [file, offset, length]: these bytes on disk were not the expected ones
//
// Pure: text in, values out; any thread.
#pragma once

#include "tools/schedule/schedule.hpp"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

/// Bytes of a file that are wrong on disk.
struct DamagedBytes {
    FileIndex file;
    ByteRange range;

    auto operator<=>(const DamagedBytes&) const = default;
};

struct GoldenSchedule {
    std::string id;
    std::string kernel; ///< the release that it was recorded on
    Schedule schedule;
    std::vector<DamagedBytes> damage; ///< as recorded

    bool operator==(const GoldenSchedule&) const = default;
};

/// Reads one line. The error says in words what is wrong with it.
std::expected<GoldenSchedule, std::string> parse_golden(std::string_view line);

/// Reads a whole file's text; blank lines are ignored. The error has the line's number.
std::expected<std::vector<GoldenSchedule>, ScheduleError> parse_golden_file(std::string_view text);

} // namespace mmapstress
