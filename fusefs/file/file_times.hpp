// The times of a file as programs see them; those of the backing inode also change with flushes.
#pragma once

#include "fusefs/file/page_cache.hpp"

#include <sys/stat.h>
#include <time.h>

#include <optional>

namespace partialfs::file {

/// mtime is held back until the data is on disk. ctime cannot be set, so the ctime that the
/// daemon's own writes cause is hidden.
/// Not thread-safe: guarded by the file's mutex.
class FileTimes {
  public:
    /// For a file of which nothing is held back, with its ctime.
    explicit FileTimes(const timespec& ctime = {}) : shown_ctime_(ctime) {}

    /// The data has changed at `now`. ctime does not go back, whatever the clock does.
    void data_changed(const timespec& now) {
        mtime_ = now;
        attributes_changed(now);
        stored_before_ = on_their_way_ = PageSet{};
    }
    /// The attributes have changed, and this is the backing inode's new ctime.
    void attributes_changed(const timespec& ctime);
    /// The daemon has just written to the backing file.
    void flushed();

    /// The mtime to be set on the backing inode; no value if it has the right one.
    [[nodiscard]] const std::optional<timespec>& held_mtime() const { return mtime_; }
    /// The backing inode has the right mtime, or gets it by the next write to it.
    void release_mtime() { mtime_.reset(); }
    /// Later flushes must not change this mtime.
    void hold_mtime(const timespec& mtime) { mtime_ = mtime; }

    /// A program has set mtime. At that time `stored` had mapped stores that were not written back,
    /// and `on_their_way` were under writeback. The next writeback of each of these pages brings
    /// stores from before, and does not change mtime.
    void set_over_stores(PageSet stored, PageSet on_their_way = {}) {
        stored_before_ = std::move(stored);
        on_their_way_ = std::move(on_their_way);
    }
    /// Whether a page holds only stores from before mtime was set: a flush of it does not change
    /// mtime either, and leaves the page in the kernel's cache to be written back later.
    [[nodiscard]] bool has_old_stores(model::PageIndex page) const {
        return stored_before_.contains(page) || on_their_way_.contains(page);
    }
    /// To be called when pages are written back: whether all of them bring only stores from before
    /// mtime was set.
    [[nodiscard]] bool writes_back_old_stores(PageRange pages);

    /// Replaces the times of the backing inode in `status` by those for programs; later calls show
    /// no earlier ctime. `flushing`: the daemon is writing to the backing file, which changes its
    /// ctime or already has.
    void adjust(struct stat& status, bool flushing);

  private:
    std::optional<timespec> mtime_; ///< held back
    timespec shown_ctime_;          ///< what ctime was when data or attributes last changed
    timespec flushed_ctime_{};      ///< no ctime that the daemon's own writes caused is later
    PageSet stored_before_;         ///< see set_over_stores()
    PageSet on_their_way_;          ///< see set_over_stores()
};

} // namespace partialfs::file
