// The kernel's writeback of some pages of one file: what the contract lets be written, and what is
// lost.
//
// The story: prepare (all that may want memory, so that what throws has changed nothing), decide
// (page by page, in the model), write what is to be written, note in the ledger what is passed over
// and differs from the disk. Bytes that the disk refuses are kept here, as if write(2) had just
// brought them, and the error waits for the application; unless the kernel that is imitated calls
// them clean, and so loses them (model/write_error.hpp).
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

    /// The errno is returned only if bytes that the disk refuses cannot be kept, or a loss cannot
    /// be noted: the kernel must then hear of it.
    base::Result<void> run();

  private:
    void lock_prepare() REQUIRES(file_.mutex);
    void lock_decide() REQUIRES(file_.mutex);
    void lock_move_times() REQUIRES(file_.mutex);
    /// Writes the runs. The errno of the first that fails, or 0.
    int write() REQUIRES(file_.disk) EXCLUDES(file_.mutex);
    /// Bytes that the disk refused with `error`: kept, or in the ledger.
    void keep(model::ByteRange run, int error) REQUIRES(file_.disk) EXCLUDES(file_.mutex);
    /// ... or lost, as they are called clean for good.
    void lose(model::ByteRange run, int error) REQUIRES(file_.disk) EXCLUDES(file_.mutex);
    int note_losses() REQUIRES(file_.disk);
    [[nodiscard]] std::span<const std::byte> bytes_of(model::ByteRange run) const {
        return bytes_.subspan((run.begin - offset_).value, run.size().value);
    }

    FileParts& file_;
    const model::ByteOffset offset_;
    const std::span<const std::byte> bytes_;
    model::ByteRange range_; ///< of `bytes_`, what lies within the file
    std::vector<model::ByteRange> to_write_;
    std::vector<FileLosses::PassedOver> passed_over_;
    std::vector<trace::Event> events_;
    bool kept_ = true; ///< what is not on disk is in memory, and what is lost in the ledger
};

} // namespace partialfs::file
