// The ranges that have been written to a backing file since its last sync.
#pragma once

#include "fusefs/file/backing_file.hpp"
#include "fusefs/model/types.hpp"

#include <vector>

namespace partialfs::file {

/// After a failed sync the pages that failed are clean in the kernel's page cache, and the next
/// sync would report success: the ranges have to be written again. Not thread-safe: guarded by the
/// file's mutex.
class UnsyncedWrites {
  public:
    /// `range` has been written.
    void add(model::ByteRange range);
    /// The file has been changed in a way that needs a sync, but nothing to be written again.
    void add_change() { any_ = true; }
    [[nodiscard]] bool any() const { return any_; }

    /// A sync begins: later changes need another one.
    void sync_begins() { any_ = false; }
    void sync_succeeded();
    void sync_failed() { any_ = true; }
    /// Writes the parts of `ranges` below `size` again, from the backing file's page cache. Errors
    /// are ignored: the next sync fails as well, and then this is called again.
    static void write_again(BackingFile& file, const std::vector<model::ByteRange>& ranges,
                            model::ByteOffset size);
    /// The ranges that have been written.
    [[nodiscard]] const std::vector<model::ByteRange>& ranges() const { return ranges_; }
    void clear();

  private:
    bool any_ = false;
    std::vector<model::ByteRange> ranges_;
};

} // namespace partialfs::file
