// The data of one regular file.
//
// Joins the parts: the bytes held for the disk, the block states, the backing file. See
// file_parts.hpp for the locks and the invariants, ordered_flush.hpp and writeback.hpp for how
// bytes reach the disk.
#pragma once

#include "fusefs/base/fd.hpp"
#include "fusefs/file/file_parts.hpp"
#include "fusefs/file/file_requests.hpp"
#include "fusefs/file/journaled_file.hpp"
#include "fusefs/file/left_out.hpp"
#include "fusefs/file/page_cache.hpp"
#include "fusefs/file/power_loss.hpp"
#include "fusefs/model/ledger.hpp"
#include "fusefs/model/types.hpp"

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace partialfs::file {

/// A base class, so that it is constructed before the two bases that refer to it.
struct FilePartsOwner {
    FileParts its_parts;
};

/// Owns the state that its two interfaces share. Every function may be called by any thread, with
/// no lock of the file's held.
class FileData final : FilePartsOwner, public FileRequests, public JournaledFile {
  public:
    /// `path_fd` (O_PATH) must outlive the object; `status` is its stat(2).
    FileData(model::InodeId id, const base::Fd& path_fd, const struct stat& status,
             Context& context)
        : FilePartsOwner{{id, path_fd, status, context}}, FileRequests(its_parts),
          JournaledFile(its_parts, status.st_dev) {}
    FileData(const FileData&) = delete;
    FileData& operator=(const FileData&) = delete;
    ~FileData() = default;

    /// As stored_pages(), but may wait for the kernel; no value if that fails. attributes() uses
    /// the result from then on.
    std::optional<PageSet> look(PageCache& cache);

    // --- What a rule of faults leaves out of a request; see left_out.hpp
    void leave_out_write(model::ByteOffset offset, std::span<const std::byte> bytes, bool cached) {
        file::leave_out_write(its_parts, offset, bytes, cached);
    }
    void leave_out_pages(model::ByteOffset offset, std::span<const std::byte> bytes, int error) {
        file::leave_out_pages(its_parts, offset, bytes, error);
    }
    void leave_out_size(model::ByteOffset size) { file::leave_out_size(its_parts, size); }
    void leave_out_allocation(int mode, model::ByteRange range) {
        file::leave_out_allocation(its_parts, mode, range);
    }

    // --- A power cut
    /// The boot that the file belongs to has ended: nothing of it reaches SOURCE any more.
    void end_with_power() { its_parts.dead = true; }
    /// See power_loss.hpp.
    bool lose_memory(std::string_view path, std::span<const model::ByteRange> from_disk) {
        return file::lose_memory(its_parts, path, from_disk);
    }
    void lose_pages(model::ByteOffset offset, std::span<const std::byte> bytes) {
        file::lose_pages(its_parts, offset, bytes);
    }
    /// Whether the cut has taken bytes or a size of it.
    [[nodiscard]] bool cut_took() const { return its_parts.cut_took; }
    /// What a cut would take from memory now, without mapped stores: bytes that no flush has
    /// written, and the size if SOURCE has another.
    struct HeldBack {
        std::vector<model::ByteRange> bytes;
        std::optional<model::LostSize> size;
    };
    [[nodiscard]] HeldBack held_back() const;
};

} // namespace partialfs::file
