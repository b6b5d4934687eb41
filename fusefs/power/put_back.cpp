#include "fusefs/power/put_back.hpp"

#include "fusefs/model/byte_ranges.hpp"
#include "fusefs/power/source_bytes.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <span>

namespace partialfs::power {

using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::intersect;

namespace {

/// The parts of `range` that have data on disk, by lseek(2).
std::vector<ByteRange> data_in(int fd, ByteRange range) {
    std::vector<ByteRange> found;
    for (ByteOffset at = range.begin; at < range.end;) {
        const off_t data = ::lseek(fd, static_cast<off_t>(at.value), SEEK_DATA);
        if (data < 0) {
            break;
        }
        const off_t hole = ::lseek(fd, data, SEEK_HOLE);
        const ByteRange here{model::offset_of(data), model::offset_of(std::max(hole, data + 1))};
        found.push_back(intersect(here, range));
        at = here.end;
    }
    return found;
}

/// Carries out the reversals as far as they lie in `part`, and adds the bytes that change to
/// `taken`. Returns 0 or an errno.
int put_back_part(const UndoLog& log, const UndoStore& store, std::span<const Reversal> reversals,
                  ByteRange part, Taken& taken) {
    const int fd = taken.fd.get();
    std::vector<std::byte> was(part.size().value);
    if (const auto got = read_zero_filled(fd, part.begin, was); !got) {
        return got.error().value;
    }
    std::vector<std::byte> becomes = was;
    for (const Reversal& reversal : reversals) {
        ByteOffset piece_begin = log.changes[reversal.change].bytes.begin;
        for (const UndoStore::Place& place : log.before[reversal.change]) {
            const ByteRange piece{piece_begin, piece_begin + ByteCount{place.length}};
            piece_begin = piece.end;
            const ByteRange here = intersect(intersect(reversal.bytes, part), piece);
            if (here.empty()) {
                continue;
            }
            const auto target =
                std::span(becomes).subspan((here.begin - part.begin).value, here.size().value);
            if (const auto got = store.read(place, (here.begin - piece.begin).value, target);
                !got) {
                return got.error().value;
            }
        }
    }
    const std::vector<ByteRange> changed = model::differing_ranges(was, becomes, part.begin);
    std::ranges::copy(changed, std::back_inserter(taken.bytes));
    if (changed.empty()) {
        return 0;
    }
    iovec iov{becomes.data(), becomes.size()};
    const auto put = backing::write_all(system_calls(), fd, {&iov, 1}, part.begin);
    return put ? 0 : put.error().value;
}

/// `error` becomes the first errno.
Taken put_back_file(UndoLog& log, const UndoStore& store, const Aftermath& after, FileNumber number,
                    int& error) {
    auto& [key, fd] = log.files[number.value];
    Taken taken{.file = key, .fd = std::move(fd), .bytes = {}, .size_before = {}, .size_after = {}};
    struct stat status{};
    if (::fstat(taken.fd.get(), &status) != 0) {
        error = errno;
        return taken;
    }
    taken.size_before = size_of(status);
    const auto size = after.sizes.find(number);
    taken.size_after = size == after.sizes.end() ? taken.size_before : size->second;

    std::vector<Reversal> own;
    std::vector<ByteRange> touched;
    for (const Reversal& reversal : after.reversals) {
        if (log.changes[reversal.change].file == number) {
            // Bytes beyond both sizes do not count as taken.
            own.push_back(reversal);
            touched.push_back(intersect(
                reversal.bytes, {ByteOffset{0}, std::max(taken.size_before, taken.size_after)}));
        }
    }
    for (const ByteRange& range : model::joined(std::move(touched))) {
        const int failed = for_each_piece(
            range, [&](ByteRange part) { return put_back_part(log, store, own, part, taken); });
        error = error != 0 ? error : failed;
    }
    for (const ByteRange& range : data_in(taken.fd.get(), {taken.size_after, taken.size_before})) {
        std::vector<std::byte> gone;
        const int failed = for_each_piece(range, [&](ByteRange part) {
            gone.resize(part.size().value);
            const auto got = read_zero_filled(taken.fd.get(), part.begin, gone);
            std::ranges::copy(model::differing_ranges(gone, {}, part.begin),
                              std::back_inserter(taken.bytes));
            return got ? 0 : got.error().value;
        });
        error = error != 0 ? error : failed;
    }
    if (taken.size_after != taken.size_before &&
        ::ftruncate(taken.fd.get(), static_cast<off_t>(taken.size_after.value)) != 0) {
        error = error != 0 ? error : errno;
    }
    const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, status.st_mtim};
    ::futimens(taken.fd.get(), times);
    taken.bytes = model::joined(std::move(taken.bytes));
    return taken;
}

} // namespace

Reverted put_back(UndoLog& log, const UndoStore& store, const Tear& tear) {
    const Aftermath after = aftermath_of(log.changes, tear);
    Reverted reverted{
        .files = {}, .sectors_kept = after.sectors_kept, .sectors_lost = after.sectors_lost};
    for (std::uint32_t number = 0; number < log.files.size(); ++number) {
        reverted.files.push_back(
            put_back_file(log, store, after, FileNumber{number}, reverted.error));
    }
    return reverted;
}

} // namespace partialfs::power
