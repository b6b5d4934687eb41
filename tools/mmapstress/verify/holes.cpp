#include "tools/mmapstress/verify/holes.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace mmapstress {

bool is_trusted_with_holes(std::string_view filesystem) {
    constexpr std::array<std::string_view, 7> kTrusted{"ext2",  "ext3", "ext4", "xfs",
                                                       "btrfs", "f2fs", "tmpfs"};
    return std::ranges::find(kTrusted, filesystem) != kTrusted.end();
}

HoleFinder::HoleFinder(const Expected& expected, FileIndex file, int fd, bool trusted)
    : expected_(expected), file_(file), fd_(fd),
      asks_(trusted && expected.size(file).value > kReadWhole) {}

ByteOffset HoleFinder::next_to_read(ByteRange range) {
#ifdef SEEK_DATA
    if (!asks_ || range.begin < data_end_) {
        return range.begin;
    }
    const auto begin = static_cast<off_t>(range.begin.value);
    const off_t data = ::lseek(fd_, begin, SEEK_DATA);
    struct stat found{};
    if ((data < 0 && errno != ENXIO) || ::fstat(fd_, &found) != 0) {
        asks_ = false; // the filesystem has no such map
        return range.begin;
    }
    // If there are no data from here on, the hole ends at the end of the file.
    const off_t hole_end = data < 0 ? std::max(begin, found.st_size) : data;
    ByteOffset first = std::min(range.end, partialfs::model::offset_of(hole_end));
    expected_.blame(file_, {range.begin, first}, [&](ByteRange part, Writer writer) {
        if (!writer.zero) {
            first = std::min(first, part.begin);
        }
    });
    if (data == begin) {
        const off_t end = ::lseek(fd_, begin, SEEK_HOLE);
        data_end_ = partialfs::model::offset_of(std::max(end, begin));
    }
    return first == range.end
               ? first
               : std::max(range.begin, ByteOffset{first.value / kPageSize * kPageSize});
#else
    return range.begin;
#endif
}

} // namespace mmapstress
