// What the kernel allows the mount's page cache: its share of dirty memory, its readahead, and that
// the daemon is not held up by it.
#pragma once

#include <filesystem>
#include <string>

namespace partialfs::fuse {

/// The mount's share of the memory that may be dirty, in percent. Not all of it: the daemon writes
/// to SOURCE, and must find room for that.
inline constexpr unsigned kMaxRatioPercent = 40;
/// What is read ahead of a sequential reader, in KiB. Not the megabyte of a largest request: its
/// answer would not fit into a pipe, through which pages get to the kernel uncopied.
inline constexpr unsigned kReadAheadKiB = 512;

/// A FUSE mount begins with one percent of the memory that may be dirty, and 128 KiB of readahead:
/// limits for daemons that nobody trusts. A program that stores through a mapping is held up by the
/// first from the first megabytes on, and its pages are written back long before it asks for it,
/// and again and again. This raises both to what a local filesystem has, through the files of
/// the mount's backing device below `class_bdi`.
///
/// Best effort: where the daemon may not do that (no root, a read-only /sys) it works as well, only
/// slower, and a message at level debug says so. To be called once the mount is there; makes no
/// request of it.
void raise_bdi_limits(const std::string& mountpoint,
                      const std::filesystem::path& class_bdi = "/sys/class/bdi");

/// The kernel holds up who dirties pages, the daemon too when it writes to SOURCE. What it waits
/// for then may be the mount's own dirty pages, which only it can write back. From now on this
/// thread, and each that it starts, is held up by what is dirty on SOURCE's own disk alone, and the
/// memory that it asks for is found without writing to a disk: prctl(2), PR_SET_IO_FLUSHER,
/// Linux 5.6.
///
/// Best effort, as the above: it takes CAP_SYS_RESOURCE.
void become_io_flusher();

} // namespace partialfs::fuse
