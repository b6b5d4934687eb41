// The bytes of a file, three times over: in the page cache, on disk, and as they ought to be.
//
// Sparse: only pages that were ever written to take memory. Not thread-safe.
#pragma once

#include "fusefs/model/types.hpp"

#include <array>
#include <bitset>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace vmmodel {

class Contents {
  public:
    explicit Contents(partialfs::model::ByteOffset size) : size_(size) {}

    [[nodiscard]] partialfs::model::ByteOffset size() const { return size_; }
    /// The file becomes longer; what is new reads as zeros.
    void grow(partialfs::model::ByteOffset size);
    /// The file becomes shorter: whole pages past `size` are gone from memory and disk, and the
    /// page cache's bytes from `size` to the end of its page are zeroed (truncate_partial_page).
    void shrink(partialfs::model::ByteOffset size);

    /// A program's bytes reach the page cache.
    void put(partialfs::model::ByteOffset offset, std::span<const std::byte> bytes);
    /// A program's zeros reach the page cache.
    void zero(partialfs::model::ByteRange range);
    /// What a program reads there now: the page cache, which after a lossy eviction is the disk.
    [[nodiscard]] std::vector<std::byte> read(partialfs::model::ByteRange range) const;
    /// The kernel zeroes the page cache past the end of file before it writes the last page.
    void zero_tail(partialfs::model::PageIndex page);

    /// Blocks of a page are written to disk from the page cache.
    void out(partialfs::model::PageIndex page, partialfs::model::BlockMask blocks,
             partialfs::model::BlockSize block_size);
    /// Blocks have lost their place on disk: they read as zeros there.
    void free(partialfs::model::PageIndex page, partialfs::model::BlockMask blocks,
              partialfs::model::BlockSize block_size);
    /// The blocks' buffered bytes are written to disk; the rest of each block stays as it is there.
    void out_buffered(partialfs::model::PageIndex page, partialfs::model::BlockMask blocks,
                      partialfs::model::BlockSize block_size);
    /// The disk's bytes become zeros without being written, as by ftruncate or fallocate below.
    void zero_disk(partialfs::model::ByteRange range);

    // Bytes that a filesystem holds apart from the page cache, as a FUSE daemon must.
    /// The bytes that are in memory now are buffered as well; what is stored there later is not.
    void buffer(partialfs::model::ByteRange range);
    void unbuffer(partialfs::model::ByteRange range);
    /// The first buffered byte at or after `from`.
    [[nodiscard]] std::optional<partialfs::model::ByteOffset>
    first_buffered(partialfs::model::ByteOffset from) const;
    /// Blocks of a page that have buffered bytes.
    [[nodiscard]] partialfs::model::BlockMask
    buffered(partialfs::model::PageIndex page, partialfs::model::BlockSize block_size) const;

    /// The page leaves the page cache; who reads it next gets the disk's bytes, with the buffered
    /// ones laid over them.
    void evict(partialfs::model::PageIndex page);

    /// Blocks of a page whose bytes within the file differ between page cache and disk.
    [[nodiscard]] partialfs::model::BlockMask stale(partialfs::model::PageIndex page,
                                                    partialfs::model::BlockSize block_size) const;
    /// The maximal ranges in which the disk is not what it ought to be, in ascending order.
    [[nodiscard]] std::vector<partialfs::model::ByteRange> damage() const;

  private:
    using Bytes = std::array<std::byte, partialfs::model::kPageSize>;
    struct Page {
        Bytes memory{};
        Bytes disk{};
        /// As it ought to be; null while that is what `memory` holds.
        std::unique_ptr<Bytes> expected;
    };

    Page& page(partialfs::model::PageIndex index) { return pages_[index]; }
    template <typename Change>
    void change(partialfs::model::ByteRange range, Change per_page);

    struct Buffered {
        std::bitset<partialfs::model::kPageSize> held;
        Bytes bytes{}; ///< those that are held
    };
    template <typename Change>
    void change_buffered(partialfs::model::ByteRange range, Change per_page);

    partialfs::model::ByteOffset size_;
    std::map<partialfs::model::PageIndex, Buffered> buffered_; ///< pages with buffered bytes only
    std::map<partialfs::model::PageIndex, Page> pages_;
};

} // namespace vmmodel
