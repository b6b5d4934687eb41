#include "fusefs/file/left_out.hpp"

#include "fusefs/backing/file_io.hpp"
#include "fusefs/model/byte_ranges.hpp"
#include "fusefs/model/ledger.hpp"

#include <fcntl.h>

#include <algorithm>
#include <iterator>

namespace partialfs::file {

using base::Result;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;

namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20U;

/// Fills `target` with SOURCE's bytes, zeros past its end. Reads without faults, and also after the
/// end of the file's boot, when its own FileIo fails.
Result<void> read_source(FileParts& file, ByteOffset offset, std::span<std::byte> target) {
    backing::FileIo system;
    const auto fd = file.backing.readable();
    const auto got =
        fd ? backing::read_all(system, (*fd)->get(), target, offset) : std::unexpected(fd.error());
    if (!got) {
        return std::unexpected(got.error());
    }
    std::ranges::fill(target.subspan(*got), std::byte{0});
    return {};
}

/// The ranges of `bytes` that differ from the file, which is SOURCE with the buffered bytes laid
/// over it.
std::vector<ByteRange> lock_differing(FileParts& file, ByteOffset offset,
                                      std::span<const std::byte> bytes) REQUIRES(file.mutex) {
    std::vector<std::byte> image(bytes.size());
    if (!read_source(file, offset, image)) {
        return {{offset, offset + ByteCount{bytes.size()}}}; // all: too much, never too little
    }
    file.held.buffered().overlay(offset, image);
    return model::differing_ranges(bytes, image, offset);
}

/// The bytes of `range` that are not zero, after a request to zero them was left out.
std::vector<ByteRange> lock_no_zeros(FileParts& file, ByteRange range) REQUIRES(file.mutex) {
    const ByteRange within = intersect(range, file.state.within_size());
    const std::vector<std::byte> zeros(std::min<std::size_t>(kPiece, within.size().value));
    std::vector<ByteRange> lost;
    for (ByteOffset at = within.begin; at < within.end;) {
        const ByteRange part{at, std::min(within.end, at + ByteCount{kPiece})};
        std::ranges::copy(lock_differing(file, at, std::span(zeros).first(part.size().value)),
                          std::back_inserter(lost));
        at = part.end;
    }
    return lost;
}

bool counts(const FileParts& file) {
    return !file.nameless && !file.dead;
}

} // namespace

std::vector<ByteRange> not_on_disk(FileParts& file, ByteOffset offset,
                                   std::span<const iovec> parts) {
    std::vector<ByteRange> lost;
    std::vector<std::byte> disk;
    for (const iovec& part : parts) {
        const std::span bytes{static_cast<const std::byte*>(part.iov_base), part.iov_len};
        disk.resize(bytes.size());
        if (read_source(file, offset, disk)) {
            std::ranges::copy(model::differing_ranges(bytes, disk, offset),
                              std::back_inserter(lost));
        } else {
            lost.push_back({offset, offset + ByteCount{bytes.size()}});
        }
        offset = offset + ByteCount{bytes.size()};
    }
    return model::joined(std::move(lost));
}

void leave_out_write(FileParts& file, ByteOffset offset, std::span<const std::byte> bytes,
                     bool cached) {
    if (bytes.empty() || !counts(file)) {
        return;
    }
    const base::Lock disk(file.disk);
    std::vector<ByteRange> lost;
    ByteOffset size;
    {
        const FileLock lock(file);
        lost = lock_differing(file, offset, bytes);
        size = file.state.size();
    }
    const ByteRange range{offset, offset + ByteCount{bytes.size()}};
    file.losses.left_out(lost, 0, FileLosses::Held::older);
    if (!cached) {
        file.losses.pages_read(range); // the page cache has the old bytes
    }
    if (range.end > size) {
        file.losses.left_out_size({.was = range.end, .is = size});
    }
}

void leave_out_pages(FileParts& file, ByteOffset offset, std::span<const std::byte> bytes,
                     int error) {
    if (!counts(file)) {
        return;
    }
    const base::Lock disk(file.disk);
    std::vector<ByteRange> lost;
    {
        const FileLock lock(file);
        const ByteRange within =
            intersect({offset, offset + ByteCount{bytes.size()}}, file.state.within_size());
        lost = lock_differing(file, offset, bytes.first(within.size().value));
    }
    file.losses.left_out(lost, error, FileLosses::Held::older);
}

void leave_out_size(FileParts& file, ByteOffset size) {
    ByteOffset is;
    {
        const FileLock lock(file);
        is = file.state.size();
    }
    if (is != size && counts(file)) {
        file.losses.left_out_size({.was = size, .is = is});
    }
}

void leave_out_allocation(FileParts& file, int mode, ByteRange range) {
    if (!counts(file)) {
        return;
    }
    const base::Lock disk(file.disk);
    std::vector<ByteRange> lost;
    ByteOffset size;
    {
        const FileLock lock(file);
        if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0) {
            lost = lock_no_zeros(file, range);
        }
        size = file.state.size();
    }
    file.losses.left_out(lost, 0, FileLosses::Held::older);
    if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && range.end > size) {
        file.losses.left_out_size({.was = range.end, .is = size});
    }
}

void left_out_size_on_disk(FileParts& file, ByteOffset size) {
    const auto status = file.backing.status();
    const ByteOffset is{status ? static_cast<std::uint64_t>(status->st_size) : 0};
    if (is != size && counts(file)) {
        file.losses.left_out_size({.was = size, .is = is});
    }
}

void left_out_zeros_on_disk(FileParts& file, ByteRange range) {
    if (!counts(file)) {
        return;
    }
    std::vector<ByteRange> lost;
    {
        const FileLock lock(file);
        lost = lock_no_zeros(file, range);
    }
    file.losses.left_out(lost, 0, FileLosses::Held::these);
}

} // namespace partialfs::file
