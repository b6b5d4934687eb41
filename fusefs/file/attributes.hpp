// The attributes that stat(2) reports: those of the backing inode, with size, times and st_blocks
// as they will be once everything held back is on disk.
#pragma once

#include "fusefs/file/file_parts.hpp"
#include "fusefs/file/page_cache.hpp"

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace partialfs::file {

/// Every function may be called by any thread, with no lock of the file's held.
class Attributes {
  public:
    explicit Attributes(FileParts& parts) : parts_(parts) {}

    /// Size, times and st_blocks of one moment, as programs see them.
    struct Shown {
        struct stat status;
        /// Stores through a mapping may fill holes, which no request tells.
        bool may_move;
        /// The space that such stores will take is not known: the last look was short, or longer
        /// ago than a hundred times its duration, and the page cache cannot answer at once.
        bool wants_look = false;
    };
    /// The errno of fstat(2). `cache` is asked for pages with mapped stores, whose space st_blocks
    /// includes.
    base::Result<Shown> read(PageCache& cache);
    /// The pages that mapped stores have made PG_dirty and that have not been written back yet.
    /// No value if `cache` cannot answer without waiting for the kernel.
    [[nodiscard]] std::optional<PageSet> stored_pages(PageCache& cache) const;
    /// A look, which took so long, has found so many pages that mapped stores have made PG_dirty.
    void note_look(std::chrono::nanoseconds took, std::uint64_t pages);
    /// utimensat(2): access time, then modification time.
    base::Result<void> set_times(const std::array<timespec, 2>& times, PageCache& cache);
    /// The file has been opened by one more handle.
    void opened() { atime_set_ = false; }
    /// A handle that could read is gone. The daemon does not see reads from the page cache, so it
    /// reads one byte to let SOURCE's filesystem update atime by its own rule (relatime, noatime).
    void may_have_been_read(const BackingFile::Handle& handle);
    /// To be called after an operation that makes the inode dirty, so that fsync commits: chmod,
    /// chown, utimensat, link count, xattr.
    void changed();

  private:
    /// The attributes with what the last look has found.
    base::Result<Shown> lock_shown() REQUIRES(parts_.mutex);
    /// Empty if `cache` cannot answer without waiting for the kernel.
    [[nodiscard]] PageSet pages_under_writeback(PageCache& cache) const;

    FileParts& parts_;
    /// Held while a time is set, and while a read lets SOURCE update atime, so that neither undoes
    /// the other. Taken after the parts' disk and before their mutex.
    base::Mutex setting_times_;
    /// atime has been set since the file was opened last. RELEASE comes some time after the
    /// close(2), and must not change an atime that was set in between.
    std::atomic<bool> atime_set_{false};
    std::chrono::steady_clock::time_point next_look_ GUARDED_BY(parts_.mutex);
    std::uint64_t stored_bytes_ GUARDED_BY(parts_.mutex) = 0; ///< at the last look
};

} // namespace partialfs::file
