// The times of a file as programs see them, while those of the backing inode are of its flushes.
#pragma once

#include <sys/stat.h>
#include <time.h>

#include <optional>

namespace partialfs::file {

/// mtime is held back until the data is on disk; ctime cannot be set, so what the daemon's own
/// writes make of it is hidden.
/// Not thread-safe: guarded by the file's mutex.
class FileTimes {
  public:
    /// Now, as CLOCK_REALTIME has it: behind no stamp that the kernel has given, since Linux 6.13
    /// makes some of those finer than its tick.
    static timespec now();

    /// The data has changed at `now`.
    void data_changed(const timespec& now) { mtime_ = shown_ctime_ = now; }
    /// The attributes have changed, and the backing inode has this ctime since.
    void attributes_changed(const timespec& ctime);
    /// The daemon has just written to the backing file.
    void flushed() { flushed_ctime_ = now(); }

    /// The mtime to be given to the backing inode; nothing if it has the right one.
    [[nodiscard]] const std::optional<timespec>& held_mtime() const { return mtime_; }
    /// The backing inode has the right mtime, or gets it by what is written to it.
    void release_mtime() { mtime_.reset(); }
    /// What is flushed from now on must not change this mtime.
    void hold_mtime(const timespec& mtime) { mtime_ = mtime; }

    /// Puts the times over those of the backing inode.
    void adjust(struct stat& status) const;

  private:
    std::optional<timespec> mtime_; ///< held back
    timespec shown_ctime_{};        ///< what ctime was when data or attributes last changed
    timespec flushed_ctime_{};      ///< no ctime that the daemon's own writes caused is later
};

} // namespace partialfs::file
