// The bytes of a file, three times: in the page cache, on disk, and as they should be.
//
// Sparse: a page that was never written takes no memory. Not thread-safe.
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
    /// The file becomes longer; the new bytes read as zeros.
    void grow(partialfs::model::ByteOffset size);
    /// The file becomes shorter: whole pages past `size` are gone from memory and disk, and the
    /// page cache's bytes from `size` to the end of its page are zeroed (truncate_partial_page).
    void shrink(partialfs::model::ByteOffset size);

    /// A program's bytes reach the page cache.
    void put(partialfs::model::ByteOffset offset, std::span<const std::byte> bytes);
    /// A program's zeros reach the page cache.
    void zero(partialfs::model::ByteRange range);
    /// What a program reads there now: the page cache, which has the disk's bytes after an
    /// eviction.
    [[nodiscard]] std::vector<std::byte> read(partialfs::model::ByteRange range) const;
    /// The kernel zeroes the page cache past the end of file before it writes the last page.
    void zero_tail(partialfs::model::PageIndex page);

    /// Blocks of a page are written to disk from the page cache.
    void out(partialfs::model::PageIndex page, partialfs::model::BlockMask blocks,
             partialfs::model::BlockSize block_size);
    /// Blocks are no longer allocated on disk: they read as zeros there.
    void free(partialfs::model::PageIndex page, partialfs::model::BlockMask blocks,
              partialfs::model::BlockSize block_size);
    /// The blocks' buffered bytes are written to disk; the rest of each block stays as it is there.
    void out_buffered(partialfs::model::PageIndex page, partialfs::model::BlockMask blocks,
                      partialfs::model::BlockSize block_size);
    /// The disk's bytes become zeros without a write: ftruncate or fallocate of the backing file.
    void zero_disk(partialfs::model::ByteRange range);

    // Bytes that a filesystem holds apart from the page cache, as a FUSE daemon must.
    /// The bytes that are in memory now are buffered, too; bytes stored there later are not.
    void buffer(partialfs::model::ByteRange range);
    void unbuffer(partialfs::model::ByteRange range);
    /// The first buffered byte at or after `from`.
    [[nodiscard]] std::optional<partialfs::model::ByteOffset>
    first_buffered(partialfs::model::ByteOffset from) const;
    /// Blocks of a page that have buffered bytes.
    [[nodiscard]] partialfs::model::BlockMask
    buffered(partialfs::model::PageIndex page, partialfs::model::BlockSize block_size) const;

    /// The page leaves the page cache; the next reader gets the disk's bytes, overlaid by the
    /// buffered ones.
    void evict(partialfs::model::PageIndex page);

    /// Blocks of a page whose bytes within the file differ between page cache and disk.
    [[nodiscard]] partialfs::model::BlockMask stale(partialfs::model::PageIndex page,
                                                    partialfs::model::BlockSize block_size) const;
    /// The maximal ranges in which the disk differs from the expected bytes, in ascending order.
    [[nodiscard]] std::vector<partialfs::model::ByteRange> damage() const;

  private:
    using Bytes = std::array<std::byte, partialfs::model::kPageSize>;
    struct Page {
        Bytes memory{};
        Bytes disk{};
        /// The bytes as they should be; null while `memory` holds just these.
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
