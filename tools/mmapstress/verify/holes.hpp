// Which bytes of a file need not be read, because the filesystem says that nothing is there.
#pragma once

#include "tools/mmapstress/verify/expected.hpp"

#include <cstdint>
#include <string_view>

namespace mmapstress {

/// Whether SEEK_DATA of a filesystem of this type (as mountinfo names it) is to be believed: the
/// kernel's own filesystems that keep such a map themselves. Not a FUSE or network filesystem.
bool is_trusted_with_holes(std::string_view filesystem);

/// Walks through one file, ascending. A hole counts only where zeros are expected, and only in
/// files of more than kReadWhole: smaller ones are read all over, which proves more. Not
/// thread-safe.
class HoleFinder {
  public:
    static constexpr std::uint64_t kReadWhole = std::uint64_t{256} << 20U;

    /// `trusted`: else every byte is to be read.
    HoleFinder(const Expected& expected, FileIndex file, int fd, bool trusted);

    /// The first byte of `range` that has to be read, rounded down to a page; its end if none has.
    [[nodiscard]] ByteOffset next_to_read(ByteRange range);

  private:
    const Expected& expected_;
    FileIndex file_;
    int fd_;
    bool asks_;
    ByteOffset data_end_; ///< up to here the filesystem has said that there are data
};

} // namespace mmapstress
