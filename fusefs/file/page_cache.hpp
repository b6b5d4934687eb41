// The kernel's page cache, as the journal needs it. The real implementation is in fuse/; tests have
// their own.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/model/types.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace partialfs::file {

class JournaledFile;

/// Pages from `first` to `last`, both included.
struct PageRange {
    model::PageIndex first;
    model::PageIndex last;

    constexpr bool operator==(const PageRange&) const = default;
    [[nodiscard]] constexpr std::uint64_t count() const { return last.value - first.value + 1; }
};

constexpr model::ByteRange bytes_of(PageRange pages) {
    return {start_of(pages.first),
            model::ByteOffset{start_of(pages.last).value + model::kPageSize}};
}

/// Ascending page ranges that do not touch.
class PageSet {
  public:
    /// Adds a range that lies after all others; one that follows the last directly is joined to it.
    void append(PageRange range) {
        if (!ranges_.empty() && ranges_.back().last.value + 1 == range.first.value) {
            ranges_.back().last = range.last;
        } else {
            ranges_.push_back(range);
        }
    }
    [[nodiscard]] bool contains(model::PageIndex page) const {
        const auto after = std::ranges::upper_bound(ranges_, page, {}, &PageRange::first);
        return after != ranges_.begin() && page <= std::prev(after)->last;
    }
    [[nodiscard]] const std::vector<PageRange>& ranges() const { return ranges_; }
    [[nodiscard]] bool empty() const { return ranges_.empty(); }
    [[nodiscard]] std::uint64_t count() const {
        std::uint64_t pages = 0;
        for (const PageRange& range : ranges_) {
            pages += range.count();
        }
        return pages;
    }

  private:
    std::vector<PageRange> ranges_;
};

/// A copy of cached pages: the bytes from the start of the first page on. Shorter than asked for
/// where the cache or the file ends.
struct RetrievedPages {
    std::shared_ptr<void> owner; ///< keeps `bytes` alive
    std::span<std::byte> bytes;
};

/// Whether a request to the kernel failed because the mount is no longer there.
constexpr bool kernel_is_gone(int error) {
    return error == ENODEV || error == ENOTCONN;
}

/// Whether a request failed because the kernel has no pages of the file any more: the mount is
/// gone, or the kernel has forgotten the inode.
constexpr bool has_no_pages(int error) {
    return kernel_is_gone(error) || error == EXDEV || error == ENOENT || error == ESTALE;
}

/// Any thread, with no lock held. Each function except *_now() may wait for requests from the
/// kernel that other threads serve: of the threads that serve requests, only one at a time may call
/// them.
class PageCache {
  public:
    PageCache() = default;
    PageCache(const PageCache&) = delete;
    PageCache& operator=(const PageCache&) = delete;
    virtual ~PageCache() = default;

    /// The most pages that one retrieve() can fetch.
    [[nodiscard]] virtual std::uint64_t retrieve_limit() const = 0;
    /// Those of `pages` of `file` that are PG_dirty now.
    virtual base::Result<PageSet> dirty_pages(JournaledFile& file, const PageSet& pages) = 0;
    /// The pages of a file of `size` bytes that are PG_dirty now; no value if the answer would need
    /// waiting.
    virtual std::optional<PageSet> dirty_now(model::InodeId inode, model::ByteOffset size) = 0;
    /// How many those are: one question to the kernel, however they lie.
    virtual std::optional<std::uint64_t> dirty_count_now(model::InodeId inode,
                                                         model::ByteOffset size) = 0;
    /// The pages of which the writepage has begun, and may not have arrived here yet; no value as
    /// for dirty_now().
    virtual std::optional<PageSet> under_writeback_now(model::InodeId inode,
                                                       model::ByteOffset size) = 0;
    /// Fetches the cached pages of `pages` up to the first that is not cached.
    virtual base::Result<RetrievedPages> retrieve(model::InodeId inode, PageRange pages) = 0;
    /// Whether a page is neither PG_dirty nor under writeback; no value if that is not known.
    virtual std::optional<bool> is_clean(model::InodeId inode, model::PageIndex page) = 0;
};

} // namespace partialfs::file
