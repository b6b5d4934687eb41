#include "fusefs/fuse/cache_status.hpp"

#include "fusefs/base/try.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace partialfs::fuse {

using base::Fd;
using base::Result;
using file::PageRange;
using file::PageSet;
using model::ByteOffset;
using model::ByteRange;
using model::PageIndex;

namespace {

#ifndef SYS_cachestat
constexpr long kCachestat = 451; // the same on every architecture; libc's headers are older
#else
constexpr long kCachestat = SYS_cachestat;
#endif

/// The structures of <linux/mman.h> from Linux 6.5 on.
struct CachestatRange {
    std::uint64_t offset;
    std::uint64_t length;
};
struct Cachestat {
    std::uint64_t cache;
    std::uint64_t dirty;
    std::uint64_t writeback;
    std::uint64_t evicted;
    std::uint64_t recently_evicted;
};

/// Appends to `found` those of `pages` that `count` counts, by halving the range.
Result<void> bisect(const Fd& file, PageRange pages, CacheCount count, PageSet& found) {
    const auto status = TRY(cache_status(file, bytes_of(pages)));
    const std::uint64_t here = status.*count;
    if (here == 0) {
        return {};
    }
    if (here >= pages.count()) {
        found.append(pages);
        return {};
    }
    const PageIndex middle{pages.first.value + (pages.count() - 1) / 2};
    const PageRange low{pages.first, middle};
    const PageRange high{PageIndex{middle.value + 1}, pages.last};
    for (const PageRange half : {low, high}) {
        TRY(bisect(file, half, count, found));
    }
    return {};
}

} // namespace

Result<CacheStatus> cache_status(const Fd& file, ByteRange range) {
    CachestatRange asked{range.begin.value, range.size().value};
    Cachestat answer{};
    if (::syscall(kCachestat, file.get(), &asked, &answer, 0) != 0) {
        return base::last_error();
    }
    return CacheStatus{answer.cache, answer.dirty, answer.writeback};
}

Result<PageSet> counted_pages(const Fd& fd, const PageSet& pages, CacheCount count) {
    PageSet found;
    for (const PageRange& range : pages.ranges()) {
        TRY(bisect(fd, range, count, found));
    }
    return found;
}

std::optional<PageSet> counted_pages(const Fd& fd, ByteOffset size, CacheCount count) {
    PageSet all;
    if (size > ByteOffset{0}) {
        all.append({PageIndex{0}, page_of(ByteOffset{size.value - 1})});
    }
    Result<PageSet> found = counted_pages(fd, all, count);
    return found ? std::optional{std::move(*found)} : std::nullopt;
}

} // namespace partialfs::fuse
