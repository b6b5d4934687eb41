// The times of a file as programs see them, while those of the backing inode are of its flushes.
#pragma once

#include "fusefs/file/page_cache.hpp"

#include <sys/stat.h>
#include <time.h>

#include <optional>

namespace partialfs::file {

/// mtime is held back until the data is on disk; ctime cannot be set, so what the daemon's own
/// writes make of it is hidden.
/// Not thread-safe: guarded by the file's mutex.
class FileTimes {
  public:
    /// Of a file that has this ctime, as nothing of it is held back.
    explicit FileTimes(const timespec& ctime = {}) : shown_ctime_(ctime) {}

    /// The data has changed at `now`. ctime does not go back, whatever the clock does.
    void data_changed(const timespec& now) {
        mtime_ = now;
        attributes_changed(now);
        stored_before_ = on_their_way_ = PageSet{};
    }
    /// The attributes have changed, and the backing inode has this ctime since.
    void attributes_changed(const timespec& ctime);
    /// The daemon has just written to the backing file.
    void flushed();

    /// The mtime to be given to the backing inode; nothing if it has the right one.
    [[nodiscard]] const std::optional<timespec>& held_mtime() const { return mtime_; }
    /// The backing inode has the right mtime, or gets it by what is written to it.
    void release_mtime() { mtime_.reset(); }
    /// What is flushed from now on must not change this mtime.
    void hold_mtime(const timespec& mtime) { mtime_ = mtime; }

    /// A program has set mtime while `stored` had mapped stores that were not written back, and
    /// those of `on_their_way` that were just being: their next writeback, and before it the one
    /// under way, bring stores from before, and do not move it.
    void set_over_stores(PageSet stored, PageSet on_their_way = {}) {
        stored_before_ = std::move(stored);
        on_their_way_ = std::move(on_their_way);
    }
    /// Whether a page holds only stores from before mtime was set: a flush, which leaves them in
    /// the kernel's cache to be written back later, does not move mtime either.
    [[nodiscard]] bool has_old_stores(model::PageIndex page) const {
        return stored_before_.contains(page) || on_their_way_.contains(page);
    }
    /// Pages are written back. Whether all of them bring only stores from before mtime was set.
    [[nodiscard]] bool writes_back_old_stores(PageRange pages);

    /// Puts the times over those of the backing inode, for a program to see: from then on it sees
    /// no earlier ctime. `flushing`: the daemon is writing to the backing file, which moves its
    /// ctime from now on, or already has.
    void adjust(struct stat& status, bool flushing);

  private:
    std::optional<timespec> mtime_; ///< held back
    timespec shown_ctime_;          ///< what ctime was when data or attributes last changed
    timespec flushed_ctime_{};      ///< no ctime that the daemon's own writes caused is later
    PageSet stored_before_;         ///< mtime was set
    PageSet on_their_way_;          ///< when it was
};

} // namespace partialfs::file
