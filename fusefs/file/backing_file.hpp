// The backing file of one file of the mount: the only one that reads and writes it.
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

/// Opened when it is needed, for reading and writing if it can be, and closed when it is not:
/// descriptors are few. All functions may be called by any thread; each answers the errno of the
/// system call it names, or of open(2). Its `mutex_` is a leaf, and never held during a system call
/// on the data.
///
/// What is written here came from a program some time ago, or by a mapping. Linux has taken the
/// file's privileges (backing/privileges.hpp) away at the program's write(2), by a request of its
/// own, and a store through a mapping takes nothing. So no write here does: what SOURCE takes away
/// is given back.
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
    /// The descriptor, open for reading and writing, or if the file's mode forbids reading, for
    /// writing alone.
    base::Result<Handle> writable();
    /// Takes over a descriptor that the file was created with: it can write whatever the file's
    /// mode says. Kept only if there is none yet that can.
    void adopt(base::Fd created);
    /// Closes it for good: nobody has the file open, and nothing is to be written.
    void close();
    /// Closes it if it can be opened again when something is to be written. Linux reports an error
    /// of writeback to the next who opens the file, if it has been reported to nobody, and the
    /// O_PATH descriptor keeps it in memory till then.
    void close_for_now();

    /// Whether the kernel may read the file by itself (splice).
    [[nodiscard]] bool may_read_directly() const { return io_.may_read_directly(); }
    /// pread(2) until `target` is full or the file ends. The bytes read.
    base::Result<std::size_t> read(model::ByteOffset offset, std::span<std::byte> target);
    /// Fills `target` with what the disk has, zeros past the end of the file.
    base::Result<void> read_image(model::ByteOffset offset, std::span<std::byte> target);
    /// Whether the file can only be appended to (chattr +a), as the last writable() has found.
    [[nodiscard]] bool append_only() const { return append_only_; }
    /// pwritev(2) of all `parts`, which are used up, one behind the other. EPERM of a file that can
    /// only be appended to, if they would change what is there or leave a gap.
    base::Result<void> write(model::ByteOffset offset, std::span<iovec> parts);
    base::Result<void> truncate(model::ByteOffset size);
    base::Result<void> allocate(int mode, model::ByteRange range);
    /// futimens(2) of mtime alone. Success if it is not the daemon's to set (EPERM).
    base::Result<void> set_mtime(const timespec& mtime);
    /// Carries out a change of the file's mode, owner or extended attributes, while nothing is
    /// written to the file.
    base::Result<void> change_privileges(const std::function<base::Result<void>()>& change);
    /// Carries out a look at these: not while SOURCE has just taken some that a write gives back.
    template <typename Look>
    auto look_at_privileges(const Look& look) EXCLUDES(privileges_) {
        const base::ReadLock lock(privileges_);
        return look();
    }
    /// Asks the kernel to begin writing the file's data, without waiting.
    void begin_sync();
    /// fdatasync(2), or with `attributes` fsync(2).
    base::Result<void> sync(bool attributes);
    /// lseek(2) with SEEK_DATA: whether the page that begins at `offset` has data on disk.
    [[nodiscard]] bool has_data(model::PageIndex page);
    /// fstat(2).
    [[nodiscard]] base::Result<struct stat> status() const;
    [[nodiscard]] const base::Fd& path_fd() const { return path_fd_; }

  private:
    /// Carries out a write, truncation or allocation of `fd`, which keeps the file's privileges.
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

    base::SharedMutex privileges_; ///< held while the file is written, for reading if it has none
    /// Whether it has any; nobody knows since they may have been changed.
    std::optional<bool> privileged_ GUARDED_BY(privileges_);
};

} // namespace partialfs::file
