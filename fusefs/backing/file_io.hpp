// The seam between the daemon and the data of the files underneath.
//
// Every system call that touches the data of a backing file goes through one FileIo, so that a
// layer can make calls fail, write short or be slow (fusefs/faults).
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/model/types.hpp"

#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include <cstddef>
#include <span>

namespace partialfs::backing {

/// The system calls as they are: same arguments, same results, errno set on failure.
/// Thread-safe, as the system calls are.
class FileIo {
  public:
    FileIo() = default;
    FileIo(const FileIo&) = delete;
    FileIo& operator=(const FileIo&) = delete;
    virtual ~FileIo() = default;

    /// Puts a layer between this and the system: calls go to `below` from now on. To be called
    /// before any other thread is started; `below` must outlive the calls.
    void set_below(FileIo& below) { below_ = &below; }

    /// Whether the kernel may read a file by itself (splice) instead of pread().
    [[nodiscard]] virtual bool may_read_directly() const { return true; }
    virtual ssize_t pread(int fd, void* data, std::size_t size, off_t offset);
    virtual ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset);
    virtual int fdatasync(int fd);
    virtual int fsync(int fd);
    virtual int syncfs(int fd);
    virtual int ftruncate(int fd, off_t size);
    virtual int fallocate(int fd, int mode, off_t offset, off_t length);
    virtual int futimens(int fd, const timespec times[2]);

  private:
    FileIo* below_ = nullptr; ///< null: the system
};

/// Called by a layer that reports success for a change of a file that it did not make. The note is
/// kept per thread, as errno is, for the caller to look at.
void note_pretended();
/// Whether note_pretended() was called on this thread since the last take_pretended().
[[nodiscard]] bool take_pretended();

/// Reads until `data` is full or the file ends. Returns the bytes read.
base::Result<std::size_t> read_all(FileIo& io, int fd, std::span<std::byte> data,
                                   model::ByteOffset offset);

/// Writes all the parts, one after the other from `offset` on; continues after a short write.
/// `parts` is modified. ENOSPC if the system writes nothing and reports no error.
base::Result<void> write_all(FileIo& io, int fd, std::span<iovec> parts, model::ByteOffset offset);

} // namespace partialfs::backing
