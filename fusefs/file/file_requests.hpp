// The data of one regular file: its interface for FUSE requests.
#pragma once

#include "fusefs/base/fd.hpp"
#include "fusefs/file/attributes.hpp"
#include "fusefs/file/error_sequence.hpp"
#include "fusefs/file/file_parts.hpp"
#include "fusefs/file/page_cache.hpp"
#include "fusefs/model/types.hpp"

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>

namespace partialfs::file {

/// A part of FileData. Every function may be called by any thread, with no lock of the file's held.
class FileRequests {
  public:
    FileRequests(const FileRequests&) = delete;
    FileRequests& operator=(const FileRequests&) = delete;

    /// A handle is being opened with these O_ flags (the access mode, O_CREAT and O_APPEND matter):
    /// opens the backing file if necessary. Returns the handle's position in the sequence of
    /// writeback errors, or the errno of open(2). `created`: the descriptor of a file that has just
    /// been created.
    base::Result<ErrorSequence::Position> opened(int flags, base::Fd created = {});
    /// The backing file, open for writing for as long as the result lives, so that a flush
    /// meanwhile needs no descriptor.
    base::Result<BackingFile::Handle> held_open() { return parts_.backing.writable(); }
    /// The handle opened with these flags is gone. Whether it was the last one open for reading and
    /// writing, through which a mapping can store.
    bool released(int flags);
    /// Which system call asks for the writeback error.
    enum class ErrorAt : std::uint8_t { sync, other };
    /// The writeback error to be reported to this handle now, as an errno, or 0.
    int check_error(ErrorSequence::Position& told, ErrorAt at);

    /// Reads the file as programs see it. Returns the number of bytes: fewer than asked for at EOF.
    /// `cached`: the reader is the page cache, which therefore lacks these pages.
    base::Result<std::size_t> read(model::ByteOffset offset, std::span<std::byte> target,
                                   bool cached);
    /// A descriptor from which `range` can be read directly, if nothing of it is held back; null if
    /// read() must be used. `cached` as for read().
    BackingFile::Handle read_source(model::ByteRange range, bool cached);

    using TakeMemory = HeldBytes::TakeMemory;
    /// The way by which a write(2) has come.
    enum class Via : std::uint8_t {
        page_cache, ///< the page cache has the bytes, too
        direct,     ///< past the page cache (O_DIRECT)
    };
    /// write(2): the blocks become dirty, the bytes wait in memory. False, and nothing changed, if
    /// the dirty limit does not allow it now. Small writes are copied, the memory of large ones is
    /// taken over with `take`.
    [[nodiscard]] bool write(model::ByteOffset offset, std::span<const std::byte> bytes, Via via,
                             const TakeMemory& take);
    /// The same when memory or disk space is short: the bytes go to the disk at once, which may
    /// refuse them (ENOSPC, EDQUOT, EIO). They wait in memory as well, as the block states are
    /// those of any write(2). Returns how many bytes the disk took, at least one.
    base::Result<std::size_t> write_through(model::ByteOffset offset,
                                            std::span<const std::byte> bytes, Via via);
    /// How many of `length` bytes at `offset` lie below the backing filesystem's largest file size;
    /// EFBIG if none. To be called before write(), which would otherwise take bytes that no flush
    /// can write. The kernel itself checks the application's own limit (RLIMIT_FSIZE).
    base::Result<std::size_t> within_largest_size(model::ByteOffset offset, std::size_t length);
    /// The kernel's writeback. See Writeback.
    base::Result<void> writepage(model::ByteOffset offset, std::span<const std::byte> bytes);

    /// See resize.hpp.
    base::Result<void> truncate(model::ByteOffset size);
    base::Result<void> allocate(int mode, model::ByteRange range);
    base::Result<model::ByteOffset> seek(model::ByteOffset from, int whence,
                                         const std::optional<PageSet>& stored);
    /// The pages with mapped stores, for seek(). No value if the kernel cannot answer at once;
    /// FileData::look() can wait for it.
    [[nodiscard]] std::optional<PageSet> stored_pages(PageCache& cache) const {
        return attributes_.stored_pages(cache);
    }
    /// The file's size as programs see it.
    [[nodiscard]] model::ByteOffset size() const;

    /// See Attributes.
    base::Result<Attributes::Shown> attributes(PageCache& cache) { return attributes_.read(cache); }
    base::Result<void> set_times(const std::array<timespec, 2>& times, PageCache& cache) {
        return attributes_.set_times(times, cache);
    }
    void attributes_changed() { attributes_.changed(); }
    /// These two: see BackingFile.
    base::Result<void> change_privileges(const std::function<base::Result<void>()>& change) {
        return parts_.backing.change_privileges(change);
    }
    template <typename Look>
    auto look_at_privileges(const Look& look) {
        return parts_.backing.look_at_privileges(look);
    }
    /// The kernel has dropped the file's pages from its cache, as reclaim would.
    void pages_evicted();
    /// The last name of the file is gone (st_nlink is 0): the ledger's open entries are dropped.
    void last_name_removed();

  protected:
    explicit FileRequests(FileParts& parts) : parts_(parts), attributes_(parts) {}
    ~FileRequests() = default;

    [[nodiscard]] Attributes& its_attributes() { return attributes_; }

  private:
    /// Records a write(2) everywhere, except that it does not store the bytes.
    void lock_note_write(model::ByteRange range, std::span<const std::byte> bytes, Via via)
        REQUIRES(parts_.mutex);
    void lock_note_read(model::ByteRange range) REQUIRES(parts_.mutex);

    FileParts& parts_;
    Attributes attributes_;
    /// A size that the backing filesystem is known to allow; at first FAT's limit, the lowest.
    std::atomic<std::uint64_t> allowed_size_{(std::uint64_t{4} << 30U) - 1};
};

} // namespace partialfs::file
