// Making a file leave the page cache, and the proof that it has.
#pragma once

#include "tools/mmapstress/system/failure.hpp"
#include "tools/schedule/op.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace mmapstress {

/// How many of the file's first `size` bytes' pages are in the page cache: the larger count of
/// mincore(2), on a mapping made for it, and cachestat(2), where there is one (Linux 6.5).
/// cachestat sees none of the pages of a file on overlayfs. mincore tells of a file that the caller
/// owns or may write; of another's it says that all pages are there. Thread-safe.
Outcome<std::uint64_t> cached_pages(int fd, ByteCount size);

/// Drops the file's pages: posix_fadvise(DONTNEED), and proof by cached_pages(). Where pages are
/// left (dirty, under writeback, or held for a moment by somebody), fsync() and once more, at most
/// 20 times; then /proc/sys/vm/drop_caches if it may be written. The file must not be mapped by
/// anybody. Fails if pages are left in the end, or if nobody can say.
Outcome<> drop_pages(int fd, ByteCount size);

/// Does to the pages of a mapping what reclaim would: takes them out of the page tables (what was
/// stored is then known to be dirty), drops those that are clean and begins to write the others
/// back, to be dropped the next time. Changes nothing that anybody reads. Pages that another
/// process has mapped, too, stay. Thread-safe.
void ask_to_leave(std::span<std::byte> mapping, int fd);
/// Whether the kernel can do that: MADV_PAGEOUT, Linux 5.4.
bool pages_can_be_asked_to_leave();

} // namespace mmapstress
