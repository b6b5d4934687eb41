// Making a file leave the page cache, and the proof that it has.
#pragma once

#include "tools/mmapstress/system/failure.hpp"
#include "tools/schedule/op.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace mmapstress {

/// How many pages of the file's first `size` bytes are in the page cache: the larger count of
/// mincore(2), on a mapping made for it, and cachestat(2), where there is one (Linux 6.5).
/// cachestat sees no pages of a file on overlayfs. mincore reports every page of a file as cached
/// if the caller neither owns the file nor may write it. Thread-safe.
Outcome<std::uint64_t> cached_pages(int fd, ByteCount size);

/// Drops the file's pages: posix_fadvise(DONTNEED), and proof by cached_pages(). If pages are left
/// (dirty, under writeback, or referenced for a moment), fsync() and the same again, 20 times at
/// most, the last time after writing /proc/sys/vm/drop_caches, if that is permitted. No process may
/// have mapped the file. Fails if pages are left in the end, or if cached_pages() fails.
Outcome<> drop_pages(int fd, ByteCount size);

/// Does to the pages of a mapping what reclaim would: removes them from the page tables (stored
/// pages become known as dirty), drops those that are clean, and begins to write back the others,
/// so that the next call can drop them. No reader sees a difference. Pages that another process has
/// mapped, too, stay. Thread-safe.
void ask_to_leave(std::span<std::byte> mapping, int fd);
/// Whether the kernel can do that: MADV_PAGEOUT, Linux 5.4.
bool pages_can_be_asked_to_leave();

} // namespace mmapstress
