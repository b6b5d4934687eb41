// Which bytes of a file need not be read, because the filesystem says that they are a hole.
#pragma once

#include "tools/mmapstress/verify/expected.hpp"

#include <cstdint>
#include <string_view>

namespace mmapstress {

/// Whether SEEK_DATA can be trusted on a filesystem of this type (as mountinfo names it): on those
/// of the kernel that keep such a map themselves, not on FUSE or network filesystems.
bool is_trusted_with_holes(std::string_view filesystem);

/// Walks through one file, ascending. A hole counts only where zeros are expected, and only in a
/// file larger than kReadWhole: smaller ones are read as a whole, which proves more. Not
/// thread-safe.
class HoleFinder {
  public:
    static constexpr std::uint64_t kReadWhole = std::uint64_t{256} << 20U;

    /// `trusted`: whether SEEK_DATA is trusted; if not, every byte has to be read.
    HoleFinder(const Expected& expected, FileIndex file, int fd, bool trusted);

    /// The first byte of `range` that has to be read, rounded down to a page; its end if none has.
    [[nodiscard]] ByteOffset next_to_read(ByteRange range);

  private:
    const Expected& expected_;
    FileIndex file_;
    int fd_;
    bool asks_;
    ByteOffset data_end_; ///< up to here the filesystem has reported data
};

} // namespace mmapstress
