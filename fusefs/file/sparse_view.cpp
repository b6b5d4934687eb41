#include "fusefs/file/sparse_view.hpp"

#include "fusefs/base/try.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>

namespace partialfs::file {

using base::Result;
using model::ByteOffset;

namespace {

constexpr std::uint64_t kUnit = model::kPageSize;

constexpr std::uint64_t rounded_up(std::uint64_t offset) {
    return (offset + kUnit - 1) / kUnit * kUnit;
}

/// lseek(2) on the backing file alone; everything past its end counts as a hole.
Result<ByteOffset> seek_on_disk(int fd, ByteOffset from, int whence, ByteOffset size) {
    const off_t found = ::lseek(fd, static_cast<off_t>(from.value), whence);
    if (found >= 0) {
        return model::offset_of(found);
    }
    if (errno == ENXIO) {
        return whence == SEEK_HOLE ? from : size;
    }
    return base::last_error();
}

} // namespace

Result<ByteOffset> seek_data(int fd, const WriteBuffer& buffers, ByteOffset from, ByteOffset size) {
    const auto on_disk = TRY(seek_on_disk(fd, from, SEEK_DATA, size));
    const ByteOffset found = std::min(on_disk, buffers.first_from(from).value_or(size));
    if (found >= size) {
        return base::failed(ENXIO);
    }
    return found;
}

Result<ByteOffset> seek_hole(int fd, const WriteBuffer& buffers, ByteOffset from, ByteOffset size) {
    ByteOffset at = from;
    while (at < size) {
        const auto hole = TRY(seek_on_disk(fd, at, SEEK_HOLE, size));
        if (hole > at) {
            at = hole;
            continue;
        }
        // A hole on disk: buffered bytes make it data up to where they end.
        if (buffers.first_from(at) != at) {
            return std::min(at, size);
        }
        at = buffers.end_of_run(at);
    }
    return size;
}

std::uint64_t space_to_come(const WriteBuffer& buffers, ByteOffset backing_size,
                            BackingFile& file) {
    constexpr std::size_t kExactUpTo = 256; // as each extent costs two system calls
    if (buffers.empty()) {
        return 0;
    }
    const auto opened = buffers.extents() <= kExactUpTo
                            ? file.readable()
                            : Result<BackingFile::Handle>(base::failed(E2BIG));
    const int fd = opened ? (*opened)->get() : -1;
    std::uint64_t bytes = 0;
    std::uint64_t counted_to = 0;
    buffers.for_each(model::kAllBytes, [&](ByteOffset at, std::span<const std::byte> part) {
        std::uint64_t begin = std::max(at.value / kUnit * kUnit, counted_to);
        const std::uint64_t end = rounded_up(at.value + part.size());
        counted_to = std::max(counted_to, end);
        while (fd >= 0 && begin < end && begin < backing_size.value) {
            const off_t data = ::lseek(fd, static_cast<off_t>(begin), SEEK_DATA);
            const std::uint64_t hole_end =
                data < 0 ? end
                         : std::clamp(static_cast<std::uint64_t>(data) / kUnit * kUnit, begin, end);
            bytes += hole_end - begin;
            begin = hole_end;
            if (begin < end) {
                const off_t hole = ::lseek(fd, static_cast<off_t>(begin), SEEK_HOLE);
                const std::uint64_t data_end = hole < 0 ? end : static_cast<std::uint64_t>(hole);
                begin = std::max(begin + kUnit, rounded_up(data_end));
            }
        }
        bytes += end - std::min(begin, end);
    });
    return bytes;
}

} // namespace partialfs::file
