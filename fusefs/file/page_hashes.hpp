// Hashes of the cached pages of a file as the daemon last saw them. On kernels without cachestat(2)
// the probe for mapped stores compares pages with them.
#pragma once

#include "fusefs/file/page_cache.hpp"
#include "fusefs/model/types.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>

namespace partialfs::file {

/// Comparing with the disk instead would find a page dirty whose stores a writepage has lost, and
/// so repair it. A page's bytes past the end of the file count as zeros.
/// Not thread-safe: guarded by the file's mutex.
class PageHashes {
  public:
    /// `wanted`: whether the hashes are used; if not, nothing is kept.
    explicit PageHashes(bool wanted) : wanted_(wanted) {}

    [[nodiscard]] bool wanted() const { return wanted_; }
    /// The page cache has these bytes from `offset`, the start of a page, on; the last page may be
    /// cut short by the end of the file.
    void set(model::ByteOffset offset, std::span<const std::byte> bytes);
    /// The page cache has these bytes of a write(2). The contents of pages that it covers only
    /// partly become unknown.
    void written(model::ByteOffset offset, std::span<const std::byte> bytes);
    /// The pages that `range` touches are no longer cached.
    void erase(model::ByteRange range);
    void clear() { hashes_.clear(); }

    /// Whether the page may be cached.
    [[nodiscard]] bool contains(model::PageIndex page) const { return hashes_.contains(page); }
    /// Whether it is known what the page held. Only for pages contained.
    [[nodiscard]] bool knows(model::PageIndex page) const { return hashes_.at(page).has_value(); }
    /// Whether the page held `bytes`. Only for pages known.
    [[nodiscard]] bool match(model::PageIndex page, std::span<const std::byte> bytes) const;
    /// All pages contained.
    [[nodiscard]] PageSet pages() const;

  private:
    bool wanted_;
    std::unordered_map<model::PageIndex, std::optional<std::uint64_t>> hashes_;
};

} // namespace partialfs::file
