// Changes of a file's size and of the space that it takes, and where it has data.
#pragma once

#include "fusefs/file/file_parts.hpp"
#include "fusefs/model/types.hpp"

#include <cstddef>

namespace partialfs::file {

/// Each is called with none of the file's locks held, and answers the errno of the system call on
/// the backing file.

/// The file's size becomes `size`: drops or grows the data, its dirty state and the ledger's
/// entries.
base::Result<void> truncate(FileParts& file, model::ByteOffset size);
/// fallocate(2) with its flags. EOPNOTSUPP for modes that move data.
base::Result<void> allocate(FileParts& file, int mode, model::ByteRange range);
/// lseek(2) with SEEK_DATA or SEEK_HOLE, held data counted as data. `may_hide_stores`: mapped
/// stores may lie anywhere that the disk and this daemon know nothing of, so all up to EOF is data.
base::Result<model::ByteOffset> seek(FileParts& file, model::ByteOffset from, int whence,
                                     bool may_hide_stores);

} // namespace partialfs::file
