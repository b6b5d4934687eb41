// What the kernel allows the mount's page cache: its share of dirty memory, and its readahead.
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

} // namespace partialfs::fuse
