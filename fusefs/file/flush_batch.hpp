// What a flush writes in one go.
#pragma once

#include "fusefs/file/file_data.hpp"

#include <spdlog/spdlog.h>
#include <sys/uio.h>

#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace partialfs::file {

/// Pieces of pages, collected in ascending order and written run by run; what was written in vain
/// becomes dirty again, also if an exception ends the flush. Lives with the file's mutex held.
class FileData::Batch {
  public:
    /// Of at most so many pages.
    Batch(FileData& file, int fd, std::uint64_t most_pages) : file_(file), fd_(fd) {
        pages_.reserve(most_pages);
    }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch() {
        if (settled_) {
            return;
        }
        for (const auto& [page, blocks] : pages_) {
            try {
                file_.blocks_.flush_failed(page, blocks);
            } catch (...) { // no memory for one state: the application is told, as for all of them
                spdlog::error("inode {}: what was to be flushed of page {} cannot be flushed again",
                              file_.id_.value, page.value);
            }
        }
    }

    /// The blocks `blocks` of `page`, which lies after those before, have been called clean and are
    /// to be written.
    void page(model::PageIndex page, model::BlockMask blocks) { pages_.push_back({page, blocks}); }
    /// Calls `visit(ByteRange)` for each run of neighbouring blocks among the pages, ascending.
    template <typename Visit>
    void for_each_run(Visit visit) const {
        model::ByteRange run;
        for (const auto& [page, blocks] : pages_) {
            for (std::uint8_t i = 0; i < file_.context_.block_size.per_page(); ++i) {
                if (!blocks.contains(model::BlockInPage{i})) {
                    continue;
                }
                const model::ByteRange block =
                    file_.context_.block_size.range_of(page, model::BlockInPage{i});
                if (!run.empty() && run.end == block.begin) {
                    run.end = block.end;
                    continue;
                }
                if (!run.empty()) {
                    visit(run);
                }
                run = block;
            }
        }
        if (!run.empty()) {
            visit(run);
        }
    }
    /// Bytes of these pages, ascending.
    void piece(model::ByteOffset at, std::span<const std::byte> bytes) {
        if (at != end_) {
            put();
        }
        if (parts_.empty()) {
            begin_ = at;
        }
        auto* const data = const_cast<std::byte*>(bytes.data());
        if (!parts_.empty() && end_of(parts_.back()) == data) {
            parts_.back().iov_len += bytes.size(); // neighbours in memory, too
        } else {
            parts_.push_back({data, bytes.size()});
        }
        end_ = at + model::ByteCount{bytes.size()};
    }
    /// Writes what is left. Returns the errno of the first write that failed, or 0.
    int finish() {
        put();
        return error_;
    }
    /// What has become of the blocks is entered.
    void settled() { settled_ = true; }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] const std::vector<std::pair<model::PageIndex, model::BlockMask>>& pages() const {
        return pages_;
    }

  private:
    static const std::byte* end_of(const iovec& part) {
        return static_cast<const std::byte*>(part.iov_base) + part.iov_len;
    }
    void put() {
        if (error_ == 0 && !parts_.empty()) {
            if (const base::Result<void> done = file_.put(fd_, begin_, parts_); done) {
                bytes_ += (end_ - begin_).value;
                file_.times_.flushed();
            } else {
                error_ = done.error().value;
            }
        }
        parts_.clear();
        end_ = model::ByteOffset{std::numeric_limits<std::uint64_t>::max()};
    }

    FileData& file_;
    int fd_;
    int error_ = 0;
    bool settled_ = false;
    std::uint64_t bytes_ = 0;
    model::ByteOffset begin_;
    model::ByteOffset end_{std::numeric_limits<std::uint64_t>::max()};
    std::vector<iovec> parts_;
    std::vector<std::pair<model::PageIndex, model::BlockMask>> pages_;
};

} // namespace partialfs::file
