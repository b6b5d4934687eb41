// The kernel's writeback of some pages of one file: which blocks are written under the contract,
// and which bytes are lost.
//
// In four steps: prepare (everything that may allocate memory, so that an exception leaves nothing
// changed); decide (page by page, in the model); write; enter in the ledger the bytes that are
// passed over and differ from the disk. Bytes that the disk refuses are kept here, as if write(2)
// had just brought them, and the error is reported at the application's next fsync; unless the
// imitated kernel calls them clean, and so loses them (model/write_error.hpp).
#pragma once

#include "fusefs/file/file_losses.hpp"
#include "fusefs/file/file_parts.hpp"
#include "fusefs/model/types.hpp"
#include "fusefs/trace/event.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace partialfs::file {

/// One FUSE_WRITE with the page-cache flag, used once. Any thread, with no lock held.
class Writeback {
  public:
    /// `bytes` begin on a page boundary.
    Writeback(FileParts& file, model::ByteOffset offset, std::span<const std::byte> bytes)
        : file_(file), offset_(offset), bytes_(bytes) {}

    /// Returns an errno, and so reports it to the kernel, only if bytes that the disk refuses
    /// cannot be kept, or a loss cannot be entered.
    base::Result<void> run();

  private:
    void lock_prepare() REQUIRES(file_.mutex);
    void lock_decide() REQUIRES(file_.mutex);
    void lock_move_times() REQUIRES(file_.mutex);
    /// Writes the runs. The errno of the first that fails, or 0.
    int write() REQUIRES(file_.disk) EXCLUDES(file_.mutex);
    /// Keeps bytes that the disk refused with `error`, or enters them in the ledger.
    void keep(model::ByteRange run, int error) REQUIRES(file_.disk) EXCLUDES(file_.mutex);
    /// Enters such bytes in the ledger if they are not to be tried again, and so stay clean.
    void lose(model::ByteRange run, int error) REQUIRES(file_.disk) EXCLUDES(file_.mutex);
    int note_losses() REQUIRES(file_.disk);
    [[nodiscard]] std::span<const std::byte> bytes_of(model::ByteRange run) const {
        return bytes_.subspan((run.begin - offset_).value, run.size().value);
    }

    FileParts& file_;
    const model::ByteOffset offset_;
    const std::span<const std::byte> bytes_;
    model::ByteRange range_; ///< the part of `bytes_` that lies within the file
    std::vector<model::ByteRange> to_write_;
    std::vector<FileLosses::PassedOver> passed_over_;
    std::vector<trace::Event> events_;
    bool kept_ = true; ///< bytes not on disk are in memory, and lost ones in the ledger
};

} // namespace partialfs::file
