// The last steps of a commit for one file: the metadata that is held back, and the sync.
//
// A commit first writes the data, then lets size and mtime through to the backing inode, then syncs
// once: the sync makes the data durable together with the metadata that belongs to it.
#pragma once

#include "fusefs/file/file_parts.hpp"

#include <cstdint>

namespace partialfs::file {

/// Each is called with none of the file's locks held.

/// Sets size and mtime of the backing inode, as far as the data has been written. Returns whether
/// that has changed the backing inode.
base::Result<bool> let_metadata_through(FileParts& file);

/// How much a sync must make durable.
enum class Durable : std::uint8_t {
    written,    ///< everything written since the last sync: for a commit
    data,       ///< that, and the file's size, whoever changed it: for fdatasync(2)
    attributes, ///< everything of the inode: for fsync(2)
};
/// fdatasync(2) or fsync(2) of the backing file, if anything that `what` includes has changed since
/// the last one. If it fails, what was flushed is dirty again, or stays clean and is in the ledger
/// as lost (model::tries_again()).
base::Result<void> sync(FileParts& file, Durable what);

/// To be called when a sync of the whole filesystem begins, and when it has ended. `done`: it had
/// no error, and has the effect of sync(Durable::written). Otherwise call that afterwards: it finds
/// out whether the error concerns this file.
void whole_sync_begins(FileParts& file);
void whole_sync_ended(FileParts& file, bool done);

} // namespace partialfs::file
