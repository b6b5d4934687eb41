// The data of one regular file: block states, buffered bytes, and what is held back from the
// backing file until the data is there.
#pragma once

#include "fusefs/backing/fd.hpp"
#include "fusefs/journal/context.hpp"
#include "fusefs/model/types.hpp"

#include <sys/stat.h>

#include <memory>

namespace partialfs::journal {

class FileData {
  public:
    /// `path_fd` (O_PATH) must outlive the object; `status` is its stat(2).
    FileData(model::InodeId id, const backing::Fd& path_fd, const struct stat& status,
             Context& context);
    FileData(const FileData&) = delete;
    FileData& operator=(const FileData&) = delete;
    ~FileData();

    /// Puts what is held back (size, mtime, ctime, st_blocks) over `status`, a stat of the backing
    /// inode, so that it is what a stat of the file must say. Any thread.
    void adjust(struct stat& status) const;

    /// The file's size becomes `size` (setattr, O_TRUNC): drops or grows the data, its dirty state
    /// and the ledger's entries. Needs no handle. Any thread; takes the file's mutex.
    backing::Result<void> truncate(model::ByteOffset size);

    /// utimensat(2) of the backing inode has just set its mtime: none is held back any more. To be
    /// called after setting the times.
    void mtime_was_set(const timespec& mtime);

    /// An operation that makes the inode dirty in the sense that fsync commits: chmod, chown,
    /// utimensat, link count, xattr.
    void attributes_changed();

    /// Whether a rename must wait for flush_own_blocks(): something of the file is not yet on disk.
    [[nodiscard]] bool needs_flush() const;

    /// The last name of the file is gone (st_nlink is 0): the ledger's open entries are dropped,
    /// and dirty data as soon as no handle is open.
    void last_name_removed();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace partialfs::journal
