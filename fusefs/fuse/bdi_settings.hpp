// The kernel's limits for the mount's page cache (its share of dirty memory, its readahead), and an
// exemption of the daemon from throttling by it.
#pragma once

#include <filesystem>
#include <string>

namespace partialfs::fuse {

/// The mount's share of the memory that may be dirty, in percent. The rest is for the pages of
/// SOURCE that the daemon writes.
inline constexpr unsigned kMaxRatioPercent = 40;
/// Readahead for a sequential reader, in KiB. Not a megabyte, the size of the largest request: its
/// answer would not fit into a pipe, through which pages go to the kernel without a copy.
inline constexpr unsigned kReadAheadKiB = 512;

/// A FUSE mount starts with one percent of the memory that may be dirty, and 128 KiB of readahead:
/// limits for untrusted daemons. The first throttles a program that stores through a mapping after
/// a few megabytes, and has its pages written back early and repeatedly. This raises both towards
/// those of a local filesystem, through the files of the mount's backing device below `class_bdi`.
///
/// Best effort: where the daemon may not do that (no root, a read-only /sys) it works as well, but
/// slower, and a message at level debug says so. To be called once the mount exists; causes no
/// request to it.
void raise_bdi_limits(const std::string& mountpoint,
                      const std::filesystem::path& class_bdi = "/sys/class/bdi");

/// The kernel throttles threads that dirty pages, also the daemon's when they write to SOURCE. They
/// might then wait for the mount's own dirty pages, which only the daemon can write back. From now
/// on this thread, and each that it starts, is throttled only by dirty pages of SOURCE's own disk,
/// and its memory allocations do not wait for I/O: prctl(2) with PR_SET_IO_FLUSHER, Linux 5.6.
///
/// Best effort: it needs CAP_SYS_RESOURCE.
void become_io_flusher();

} // namespace partialfs::fuse
