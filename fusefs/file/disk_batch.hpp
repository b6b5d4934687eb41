// The blocks that a flush writes to the backing file together.
#pragma once

#include "fusefs/file/file_parts.hpp"
#include "fusefs/file/held_bytes.hpp"
#include "fusefs/model/types.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace partialfs::file {

/// Blocks that have been called clean, and the bytes that must reach the disk for that to be true.
/// Filled with the file's mutex held, written without it; the result is entered with it again.
/// Not thread-safe: used by one thread.
class DiskBatch {
  public:
    /// For at most so many pages. Allocates their memory now, so that no block is called clean and
    /// then cannot be noted here.
    explicit DiskBatch(std::uint64_t most_pages) { pages_.reserve(most_pages); }
    /// Adds `blocks` of `page`, which lies after the pages added before.
    void add_blocks(model::PageIndex page, model::BlockMask blocks) {
        pages_.emplace_back(page, blocks);
    }
    /// Adds bytes of these pages, ascending.
    void add(Piece piece) { pieces_.push_back(std::move(piece)); }
    [[nodiscard]] std::vector<Piece>& pieces() { return pieces_; }
    [[nodiscard]] const std::vector<std::pair<model::PageIndex, model::BlockMask>>& pages() const {
        return pages_;
    }
    [[nodiscard]] bool empty() const { return pages_.empty(); }

    /// Calls `visit(ByteRange)` for each run of neighbouring blocks, ascending.
    template <typename Visit>
    void for_each_run(model::BlockSize block_size, Visit visit) const {
        model::ByteRange run;
        for (const auto& [page, blocks] : pages_) {
            for (const model::BlockInPage block : blocks) {
                const model::ByteRange bytes = block_size.range_of(page, block);
                if (!run.empty() && run.end == bytes.begin) {
                    run.end = bytes.end;
                    continue;
                }
                if (!run.empty()) {
                    visit(run);
                }
                run = bytes;
            }
        }
        if (!run.empty()) {
            visit(run);
        }
    }

    /// Writes the pieces, neighbours together, with the file's `disk` held and its `mutex` free.
    /// The errno of the first write that fails, or 0; ENOMEM if there is no memory for it. After a
    /// write that fails and is not to be tried again (model::tries_again()) it continues with the
    /// others, and the ledger has the refused bytes.
    [[nodiscard]] int write(FileParts& file) REQUIRES(file.disk);
    /// Whether a write has failed that is to be tried again; the whole batch then is.
    [[nodiscard]] bool unfinished() const { return unfinished_; }
    /// Whether a write of bytes of this page has failed and is not to be tried again.
    [[nodiscard]] bool lost_any_of(model::PageIndex page) const;
    /// The bytes written.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  private:
    std::vector<std::pair<model::PageIndex, model::BlockMask>> pages_;
    std::vector<Piece> pieces_;
    /// Writes the pieces from `first` up to but not including `last`, which follow each other.
    base::Result<void> write_run(FileParts& file, std::size_t first, std::size_t last)
        REQUIRES(file.disk);

    std::uint64_t bytes_ = 0;
    std::vector<model::ByteRange> lost_;
    bool unfinished_ = false;
};

} // namespace partialfs::file
