// The data of one regular file, as requests use it.
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
    /// opens the backing file if need be. The errno of open(2) if that fails. The result is the
    /// handle's place in the sequence of writeback errors. `created`: the descriptor that the file
    /// has just been created with, if it has.
    base::Result<ErrorSequence::Position> opened(int flags, base::Fd created = {});
    /// The backing file, open for writing for as long as the result lives: a flush by the holder
    /// then wants no descriptor.
    base::Result<BackingFile::Handle> held_open() { return parts_.backing.writable(); }
    /// The handle opened with these flags is gone. Whether no handle is left that can write.
    bool released(int flags);
    /// What asks for the writeback error.
    enum class ErrorAt : std::uint8_t { sync, other };
    /// The writeback error that this handle has to be told now, as an errno, or 0.
    int check_error(ErrorSequence::Position& told, ErrorAt at);

    /// What a reader of the file sees. Returns the bytes read: fewer than asked for at EOF.
    /// `cached` says that the reader is the page cache, which so tells that it lacks these pages.
    base::Result<std::size_t> read(model::ByteOffset offset, std::span<std::byte> target,
                                   bool cached);
    /// A descriptor from which `range` can be read as it is, if nothing of it is held back; null if
    /// read() must be asked. `cached` as for read().
    BackingFile::Handle read_source(model::ByteRange range, bool cached);

    using TakeMemory = HeldBytes::TakeMemory;
    /// What a write(2) has gone through on its way here.
    enum class Via : std::uint8_t {
        page_cache, ///< which has the bytes, too
        direct,     ///< nothing (O_DIRECT)
    };
    /// write(2): the blocks become dirty, the bytes wait in memory. False if the dirty limit does
    /// not allow it now; nothing has happened then. Small writes are copied, large ones taken over
    /// with `take`.
    [[nodiscard]] bool write(model::ByteOffset offset, std::span<const std::byte> bytes, Via via,
                             const TakeMemory& take);
    /// The same when memory or the disk is short: the bytes go to the disk at once, which may
    /// refuse them (ENOSPC, EDQUOT, EIO), and wait in memory as well, for the block states are
    /// those of any write(2). Returns how many bytes the disk took, at least one.
    base::Result<std::size_t> write_through(model::ByteOffset offset,
                                            std::span<const std::byte> bytes, Via via);
    /// How many of `length` bytes at `offset` may be written before the backing filesystem's
    /// largest file size; EFBIG if none. Asked before write(), which otherwise would take bytes
    /// that no flush can ever write. The application's own limit (RLIMIT_FSIZE) is the kernel's
    /// business.
    base::Result<std::size_t> within_largest_size(model::ByteOffset offset, std::size_t length);
    /// The kernel's writeback. See Writeback.
    base::Result<void> writepage(model::ByteOffset offset, std::span<const std::byte> bytes);

    /// See resize.hpp.
    base::Result<void> truncate(model::ByteOffset size);
    base::Result<void> allocate(int mode, model::ByteRange range);
    base::Result<model::ByteOffset> seek(model::ByteOffset from, int whence,
                                         const std::optional<PageSet>& stored);
    /// What seek() must know of mapped stores; nothing if that cannot be told without waiting for
    /// the kernel: FileData::look() then waits.
    [[nodiscard]] std::optional<PageSet> stored_pages(PageCache& cache) const {
        return attributes_.stored_pages(cache);
    }
    /// The file's size as programs see it.
    [[nodiscard]] model::ByteOffset size() const;

    /// See Attributes.
    base::Result<struct stat> attributes(PageCache& cache) { return attributes_.read(cache); }
    [[nodiscard]] bool wants_look(PageCache& cache) const { return attributes_.wants_look(cache); }
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
    /// Enters a write(2) in everything but the bytes.
    void lock_note_write(model::ByteRange range, std::span<const std::byte> bytes, Via via)
        REQUIRES(parts_.mutex);
    void lock_note_read(model::ByteRange range) REQUIRES(parts_.mutex);

    FileParts& parts_;
    Attributes attributes_;
    /// A size that the backing filesystem is known to allow. To begin with FAT's limit, the lowest.
    std::atomic<std::uint64_t> allowed_size_{(std::uint64_t{4} << 30U) - 1};
};

} // namespace partialfs::file
