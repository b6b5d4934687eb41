// Bytes and sizes that rules of faults leave out: they are compared with the file, and differences
// are entered in the ledger and the trace.
//
// Nothing else is changed. For a file without a name nothing is entered.
#pragma once

#include "fusefs/file/file_parts.hpp"
#include "fusefs/model/types.hpp"

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <vector>

namespace partialfs::file {

/// The ranges of `parts`, one after the other from `offset` on, that differ from SOURCE; all if
/// SOURCE cannot be read. Reads SOURCE without faults.
std::vector<model::ByteRange> not_on_disk(FileParts& file, model::ByteOffset offset,
                                          std::span<const iovec> parts);

// --- Requests that were left out. Called with none of the file's locks held.

/// A write(2) of `bytes`, for which success was reported. `cached`: it came through the kernel's
/// page cache, which has the bytes.
void leave_out_write(FileParts& file, model::ByteOffset offset, std::span<const std::byte> bytes,
                     bool cached);
/// The kernel's writeback of pages: it gets `error` or 0, and calls them clean.
void leave_out_pages(FileParts& file, model::ByteOffset offset, std::span<const std::byte> bytes,
                     int error);
/// ftruncate(2), for which success was reported.
void leave_out_size(FileParts& file, model::ByteOffset size);
/// fallocate(2), for which success was reported.
void leave_out_allocation(FileParts& file, int mode, model::ByteRange range);

// --- Operations on SOURCE that were left out, called when the file's state is as if they had been
// --- done. With `disk` held, without the mutex.

/// ftruncate(2) of SOURCE.
void left_out_size_on_disk(FileParts& file, model::ByteOffset size) REQUIRES(file.disk)
    EXCLUDES(file.mutex);
/// fallocate(2) of SOURCE that was to make the bytes of `range` zeros.
void left_out_zeros_on_disk(FileParts& file, model::ByteRange range) REQUIRES(file.disk)
    EXCLUDES(file.mutex);

} // namespace partialfs::file
