// Changes of a file's size and allocated space, and lseek(2) for data and holes.
#pragma once

#include "fusefs/file/file_parts.hpp"
#include "fusefs/model/types.hpp"

#include <cstddef>

namespace partialfs::file {

/// Each is called with none of the file's locks held, and returns the errno of the system call on
/// the backing file.

/// The file's size becomes `size`. Data, dirty state and ledger entries beyond it are dropped.
base::Result<void> truncate(FileParts& file, model::ByteOffset size);
/// fallocate(2). EOPNOTSUPP for other flags than KEEP_SIZE, PUNCH_HOLE and ZERO_RANGE.
base::Result<void> allocate(FileParts& file, int mode, model::ByteRange range);
/// lseek(2) with SEEK_DATA or SEEK_HOLE; held bytes count as data. `may_hide_stores`: the kernel
/// may have mapped stores that the daemon does not know, so everything up to EOF counts as data.
/// ENXIO if there is no such place.
base::Result<model::ByteOffset> seek(FileParts& file, model::ByteOffset from, int whence,
                                     bool may_hide_stores);

} // namespace partialfs::file
