// The state of a file's cached pages, from cachestat(2) (Linux 6.5 and later).
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"
#include "fusefs/file/page_cache.hpp"
#include "fusefs/model/types.hpp"

#include <cstdint>
#include <optional>

namespace partialfs::fuse {

/// cachestat(2)'s answer for a range of pages.
struct CacheStatus {
    std::uint64_t cached = 0;
    std::uint64_t dirty = 0;
    std::uint64_t writeback = 0;
};
/// One of its numbers.
using CacheCount = std::uint64_t CacheStatus::*;

/// The counts for `range` of an open file. The caller must be its owner, or be allowed to write it.
/// ENOSYS before Linux 6.5.
base::Result<CacheStatus> cache_status(const base::Fd& file, model::ByteRange range);

/// Those of `pages` that `count` counts. Errors as cache_status().
base::Result<file::PageSet> counted_pages(const base::Fd& file, const file::PageSet& pages,
                                          CacheCount count);
/// The same for all pages of a file of `size` bytes; no value after an error.
std::optional<file::PageSet> counted_pages(const base::Fd& file, model::ByteOffset size,
                                           CacheCount count);

} // namespace partialfs::fuse
