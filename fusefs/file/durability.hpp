// From the page cache of SOURCE to its disk: what is held back besides the data, and the sync.
//
// A commit first writes the data, then lets size and mtime through to the backing inode, then syncs
// once: what the sync makes durable is the data with the metadata that belongs to it.
#pragma once

#include "fusefs/file/file_parts.hpp"

#include <cstdint>

namespace partialfs::file {

/// Each is called with none of the file's locks held.

/// Lets size and mtime through to the backing inode, as far as the data is there. Whether the
/// backing inode's attributes have changed by it.
base::Result<bool> let_metadata_through(FileParts& file);

/// How much a sync must make durable.
enum class Durable : std::uint8_t {
    written,    ///< what has been written since the last one: a commit
    data,       ///< that, and the file's size, whoever changed it: fdatasync(2)
    attributes, ///< everything of the inode: fsync(2)
};
/// fdatasync(2) or fsync(2) of the backing file, if anything of the kind has changed since the last
/// one. If it fails, what was flushed is dirty again, or called clean and in the ledger as lost
/// (model::tries_again()).
base::Result<void> sync(FileParts& file, Durable what);

/// A sync of the whole filesystem begins, and has ended. `done`: without an error, which makes it
/// as good as sync(written); if not, that is to be called, and finds out whether the error is this
/// file's.
void whole_sync_begins(FileParts& file);
void whole_sync_ended(FileParts& file, bool done);

} // namespace partialfs::file
