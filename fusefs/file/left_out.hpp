// What rules of faults leave out of one file: it is compared with what the file has, and what
// differs goes to the ledger and to the trace.
//
// Nothing is changed but these. Of a file without a name nothing is entered.
#pragma once

#include "fusefs/file/file_parts.hpp"
#include "fusefs/model/types.hpp"

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <vector>

namespace partialfs::file {

/// Which of the bytes `parts`, one behind the other from `offset` on, SOURCE has not got; all, if
/// it cannot be read. Asks SOURCE itself, past all faults.
std::vector<model::ByteRange> not_on_disk(FileParts& file, model::ByteOffset offset,
                                          std::span<const iovec> parts);

// --- Of requests. Called with none of the file's locks held.

/// A write(2) of `bytes`, whose program is told that it is done. `cached`: it came through the
/// kernel's page cache, which has the bytes.
void leave_out_write(FileParts& file, model::ByteOffset offset, std::span<const std::byte> bytes,
                     bool cached);
/// The kernel's writeback of pages: it is told this errno, or 0, and calls them clean.
void leave_out_pages(FileParts& file, model::ByteOffset offset, std::span<const std::byte> bytes,
                     int error);
/// ftruncate(2), of which the program is told that it is done.
void leave_out_size(FileParts& file, model::ByteOffset size);
/// fallocate(2), of which the program is told that it is done.
void leave_out_allocation(FileParts& file, int mode, model::ByteRange range);

// --- Of the disk, once the state of the file is as if it had been done. With `disk` held, without
// --- the mutex.

/// ftruncate(2) of SOURCE.
void left_out_size_on_disk(FileParts& file, model::ByteOffset size) REQUIRES(file.disk)
    EXCLUDES(file.mutex);
/// fallocate(2) of SOURCE that was to make the bytes of `range` zeros.
void left_out_zeros_on_disk(FileParts& file, model::ByteRange range) REQUIRES(file.disk)
    EXCLUDES(file.mutex);

} // namespace partialfs::file
