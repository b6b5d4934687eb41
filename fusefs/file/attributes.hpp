// What stat(2) says of a file: the backing inode's attributes with what is held back laid over
// them.
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

    /// All of one moment: size, times and st_blocks as programs see them. The errno of fstat(2).
    /// `cache` is asked for pages stored into, as st_blocks counts them.
    base::Result<struct stat> read(PageCache& cache);
    /// The pages that mapped stores have made PG_dirty and that no writeback has brought yet.
    /// Nothing if that cannot be told without waiting for the kernel.
    [[nodiscard]] std::optional<PageSet> stored_pages(PageCache& cache) const;
    /// Whether read() would not know how much space mapped stores will take, as nobody has looked
    /// lately and `cache` cannot tell at once.
    [[nodiscard]] bool wants_look(PageCache& cache) const;
    /// A look that began at `began` has found these pages.
    void note_look(std::chrono::steady_clock::time_point began, const PageSet& stored);
    /// utimensat(2): access time, then modification time.
    base::Result<void> set_times(const std::array<timespec, 2>& times, PageCache& cache);
    /// The file has been opened by one more handle.
    void opened() { atime_set_ = false; }
    /// A handle that could read is gone. What the page cache served, this daemon has not seen: a
    /// read of one byte lets SOURCE's filesystem move atime by its own rule (relatime, noatime).
    void may_have_been_read(const BackingFile::Handle& handle);
    /// An operation that makes the inode dirty in the sense that fsync commits: chmod, chown,
    /// utimensat, link count, xattr.
    void changed();

  private:
    /// Whether mapped stores may lie in holes, and the last look is older than a hundred times its
    /// cost.
    [[nodiscard]] bool lock_look_is_due() const REQUIRES(parts_.mutex);
    /// Empty if that cannot be told without waiting for the kernel.
    [[nodiscard]] PageSet pages_under_writeback(PageCache& cache) const;

    FileParts& parts_;
    /// Held while a time is set, and while a read lets SOURCE move atime, so that neither undoes
    /// the other. Taken after the parts' disk and before their mutex.
    base::Mutex setting_times_;
    /// atime has been set since the file was opened last: a RELEASE comes some time after the
    /// close(2) that it is about, and must not move what was set meanwhile.
    std::atomic<bool> atime_set_{false};
    std::chrono::steady_clock::time_point next_look_ GUARDED_BY(parts_.mutex);
    std::uint64_t stored_bytes_ GUARDED_BY(parts_.mutex) = 0; ///< at the last look
};

} // namespace partialfs::file
