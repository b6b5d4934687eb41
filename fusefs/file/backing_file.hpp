// The backing file of one file of the mount. All reads and writes of it go through this class.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/backing/one_descriptor.hpp"
#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"
#include "fusefs/base/mutex.hpp"
#include "fusefs/model/types.hpp"

#include <sys/stat.h>
#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>

namespace partialfs::file {

/// Opened when needed, for reading and writing if possible, and closed when not needed, as
/// descriptors are scarce. All functions may be called by any thread; each returns the errno of the
/// system call that it names, or of open(2). `mutex_` is a leaf, and never held during a system
/// call on the data.
///
/// The bytes written here come from an earlier write(2), or from a mapping. At that write(2) Linux
/// has already removed the file's privileges (backing/privileges.hpp), by a request of its own; a
/// store through a mapping removes none. So a write here must not remove any: those that SOURCE
/// removes are given back.
class BackingFile {
  public:
    /// Keeps the descriptor open for whoever holds it.
    using Handle = std::shared_ptr<const base::Fd>;

    /// `path_fd` (O_PATH) names the file and must outlive this. `reopens_any`: the daemon may open
    /// any file whatever its mode (CAP_DAC_OVERRIDE).
    BackingFile(backing::FileIo& io, const base::Fd& path_fd, bool reopens_any)
        : io_(io), path_fd_(path_fd), reopens_any_(reopens_any), one_(path_fd) {}

    /// The descriptor, open for reading, or for reading and writing.
    base::Result<Handle> readable();
    /// The descriptor, open for reading and writing, or only for writing if the file's mode forbids
    /// reading.
    base::Result<Handle> writable();
    /// Takes over the descriptor with which the file was created: it can write, whatever the file's
    /// mode is. Dropped if the present descriptor can write already.
    void adopt(base::Fd created);
    /// Closes it: nobody has the file open, and nothing is to be written.
    void close();
    /// Closes it if the daemon can open it again when something is to be written. No writeback
    /// error is missed: Linux reports one that nobody has seen to the next opener, and the O_PATH
    /// descriptor keeps the inode in memory until then.
    void close_for_now();

    /// Whether the kernel may read the file by itself (splice).
    [[nodiscard]] bool may_read_directly() const { return io_.may_read_directly(); }
    /// pread(2) until `target` is full or the file ends. The bytes read.
    base::Result<std::size_t> read(model::ByteOffset offset, std::span<std::byte> target);
    /// Fills `target` with the bytes on disk, zeros past the end of the file.
    base::Result<void> read_image(model::ByteOffset offset, std::span<std::byte> target);
    /// Whether the file can only be appended to (chattr +a), as the last writable() has found.
    [[nodiscard]] bool append_only() const { return append_only_; }
    /// pwritev(2) of all `parts`, one after the other; modifies `parts`. EPERM for an append-only
    /// file, if they would change bytes on disk or leave a gap.
    base::Result<void> write(model::ByteOffset offset, std::span<iovec> parts);
    base::Result<void> truncate(model::ByteOffset size);
    base::Result<void> allocate(int mode, model::ByteRange range);
    /// futimens(2) of mtime alone. Success, too, if the daemon is not permitted to set it (EPERM).
    base::Result<void> set_mtime(const timespec& mtime);
    /// Calls `change`, which changes the file's mode, owner or extended attributes, while nothing
    /// is written to the file.
    base::Result<void> change_privileges(const std::function<base::Result<void>()>& change);
    /// Calls `look`, which reads these: not while a write has yet to give back privileges that
    /// SOURCE has removed.
    template <typename Look>
    auto look_at_privileges(const Look& look) EXCLUDES(privileges_) {
        const base::ReadLock lock(privileges_);
        return look();
    }
    /// Asks the kernel to begin writing the file's data, without waiting.
    void begin_sync();
    /// fdatasync(2), or with `attributes` fsync(2).
    base::Result<void> sync(bool attributes);
    /// Whether the page has data on disk, by lseek(2) with SEEK_DATA. False if that fails.
    [[nodiscard]] bool has_data(model::PageIndex page);
    /// fstat(2).
    [[nodiscard]] base::Result<struct stat> status() const;
    [[nodiscard]] const base::Fd& path_fd() const { return path_fd_; }

  private:
    /// Calls `write`, a write, truncation or allocation of `fd`, and keeps the file's privileges.
    template <typename Write>
    base::Result<void> keep_privileges(int fd, const Write& write) EXCLUDES(privileges_);
    base::Result<void> append(int fd, model::ByteOffset offset, std::span<iovec> parts);

    backing::FileIo& io_;
    const base::Fd& path_fd_;
    const bool reopens_any_;

    base::Mutex mutex_; ///< a leaf
    backing::OneDescriptor one_ GUARDED_BY(mutex_);
    Handle fd_ GUARDED_BY(mutex_);
    bool writable_ GUARDED_BY(mutex_) = false;
    std::atomic<bool> append_only_{false};

    /// Held while the file is written: shared if it has no privileges, exclusively if it has.
    base::SharedMutex privileges_;
    /// Whether the file has privileges; no value after a change, until the next write finds out.
    std::optional<bool> privileged_ GUARDED_BY(privileges_);
};

} // namespace partialfs::file
