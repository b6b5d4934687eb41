// What has been written to a backing file since its last sync.
#pragma once

#include "fusefs/file/backing_file.hpp"
#include "fusefs/model/types.hpp"

#include <vector>

namespace partialfs::file {

/// After a failed sync the pages that failed are clean in the kernel's page cache, and the next
/// sync would say that all is well: what was written has to be written again.
/// Not thread-safe: guarded by the file's mutex.
class UnsyncedWrites {
  public:
    /// `range` has been written.
    void add(model::ByteRange range);
    /// The file has been changed in a way that needs a sync, and no repetition should it fail.
    void add_change() { any_ = true; }
    [[nodiscard]] bool any() const { return any_; }

    /// A sync begins: what is added from now on is for the next one.
    void sync_begins() { any_ = false; }
    void sync_succeeded();
    void sync_failed() { any_ = true; }
    /// Writes all of `ranges` that lies below `size` again, from the backing file's page cache. A
    /// failure changes nothing: the next sync fails as well, and this is done again.
    static void write_again(BackingFile& file, const std::vector<model::ByteRange>& ranges,
                            model::ByteOffset size);
    /// What has been written.
    [[nodiscard]] const std::vector<model::ByteRange>& ranges() const { return ranges_; }
    void clear();

  private:
    bool any_ = false;
    std::vector<model::ByteRange> ranges_;
};

} // namespace partialfs::file
