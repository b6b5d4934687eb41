// The descriptor through which the data of one backing file is read and written.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/backing/one_descriptor.hpp"
#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"
#include "fusefs/model/types.hpp"

#include <cstddef>
#include <memory>
#include <span>

namespace partialfs::file {

/// Opened when it is needed, for reading and writing if it can be. Not thread-safe: guarded by the
/// file's mutex; whoever uses the descriptor without it holds shared().
class BackingFile {
  public:
    /// `path_fd` (O_PATH) names the file and must outlive this. `reopens_any`: the daemon may open
    /// any file whatever its mode (CAP_DAC_OVERRIDE).
    BackingFile(const base::Fd& path_fd, bool reopens_any)
        : path_fd_(path_fd), reopens_any_(reopens_any), one_(path_fd) {}

    /// The descriptor, open for reading, or for reading and writing. The errno of open(2).
    base::Result<int> readable();
    /// The descriptor, open for reading and writing, or if the file's mode forbids reading, for
    /// writing alone.
    base::Result<int> writable();
    /// Opens it for reading and fills `target` with what the disk has at `offset`, zeros past the
    /// end of the file. The errno of open(2) or pread(2).
    base::Result<void> read(backing::FileIo& io, model::ByteOffset offset,
                            std::span<std::byte> target);
    /// Takes over a descriptor that the file was created with: it can write whatever the file's
    /// mode says. Kept only if there is none yet that can.
    void adopt(base::Fd created);
    /// Closes it for good: nobody has the file open, and nothing is to be written.
    void close() {
        fd_.reset();
        writable_ = false;
    }
    /// Closes it, as descriptors are few, if it can be opened again when something is to be
    /// written. Linux tells an error of writeback to the next who opens the file, if nobody has
    /// been told of it, and the O_PATH descriptor keeps it in memory till then.
    void close_for_now() {
        if (reopens_any_) {
            close();
        }
    }

    [[nodiscard]] bool is_open() const { return fd_ != nullptr; }
    /// The open descriptor; only after one of the two above has succeeded.
    [[nodiscard]] int get() const { return fd_->get(); }
    /// Keeps the descriptor open for whoever holds it; null if it is not open.
    [[nodiscard]] std::shared_ptr<const base::Fd> shared() const { return fd_; }

  private:
    const base::Fd& path_fd_;
    const bool reopens_any_;
    backing::OneDescriptor one_;
    std::shared_ptr<const base::Fd> fd_;
    bool writable_ = false;
};

} // namespace partialfs::file
