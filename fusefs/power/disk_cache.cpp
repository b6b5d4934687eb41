#include "fusefs/power/disk_cache.hpp"

#include "fusefs/base/exceptions.hpp"
#include "fusefs/model/ledger.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

namespace partialfs::power {

using base::Fd;
using base::Result;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::intersect;

namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20U;

/// The system itself, past all layers.
backing::FileIo& system_calls() {
    static backing::FileIo calls;
    return calls;
}

ByteOffset size_of(const struct stat& status) {
    return ByteOffset{static_cast<std::uint64_t>(status.st_size)};
}

Result<void> read_zero_filled(int fd, ByteOffset offset, std::span<std::byte> target) {
    const auto got = backing::read_all(system_calls(), fd, target, offset);
    if (!got) {
        return std::unexpected(got.error());
    }
    std::ranges::fill(target.subspan(*got), std::byte{0});
    return {};
}

/// Sorted, and joined where they touch.
std::vector<ByteRange> joined(std::vector<ByteRange> ranges) {
    std::ranges::sort(ranges);
    std::vector<ByteRange> all;
    for (const ByteRange& range : ranges) {
        if (!all.empty() && range.begin <= all.back().end) {
            all.back().end = std::max(all.back().end, range.end);
        } else if (!range.empty()) {
            all.push_back(range);
        }
    }
    return all;
}

/// What of `range` has data on disk, as lseek(2) knows it.
std::vector<ByteRange> data_in(int fd, ByteRange range) {
    std::vector<ByteRange> found;
    for (ByteOffset at = range.begin; at < range.end;) {
        const off_t data = ::lseek(fd, static_cast<off_t>(at.value), SEEK_DATA);
        if (data < 0) {
            break;
        }
        const off_t hole = ::lseek(fd, data, SEEK_HOLE);
        const ByteRange here{ByteOffset{static_cast<std::uint64_t>(data)},
                             ByteOffset{static_cast<std::uint64_t>(std::max(hole, data + 1))}};
        found.push_back(intersect(here, range));
        at = here.end;
    }
    return found;
}

/// Calls `visit(part)` for the parts of `range` of at most kPiece bytes, until it fails.
template <typename Visit>
int for_each_piece(ByteRange range, Visit visit) {
    for (ByteOffset at = range.begin; at < range.end;) {
        const ByteRange part{at, std::min(range.end, at + ByteCount{kPiece})};
        if (const int error = visit(part); error != 0) {
            return error;
        }
        at = part.end;
    }
    return 0;
}

} // namespace

// --- What is changed
// ------------------------------------------------------------------------------

Fd DiskCache::own_descriptor(int fd, FileKey key) const {
    {
        const base::Lock lock(mutex_);
        if (files_.contains(key)) {
            return {}; // there is one
        }
    }
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    auto own = Fd::open(AT_FDCWD, path.c_str(), O_RDWR);
    return own ? std::move(*own) : Fd{};
}

bool DiskCache::keep(int fd, ByteRange bytes, Places& places) {
    std::vector<std::byte> piece;
    const int error = for_each_piece(bytes, [&](ByteRange part) {
        piece.resize(part.size().value);
        if (const auto got = read_zero_filled(fd, part.begin, piece); !got) {
            return got.error().value;
        }
        const base::Lock lock(mutex_);
        const auto place = store_.keep(piece);
        if (!place) {
            return place.error().value;
        }
        places.push_back(*place);
        return 0;
    });
    if (error != 0) {
        const base::Lock lock(mutex_);
        drop(places);
        places.clear();
    }
    return error == 0;
}

void DiskCache::drop(const Places& places) {
    for (const UndoStore::Place& place : places) {
        store_.drop(place);
    }
}

void DiskCache::enter(FileKey key, Fd fd, std::span<Entry> entries) {
    const base::Lock lock(mutex_);
    File& file = files_[key];
    if (!file.fd) {
        file.fd = std::move(fd);
    }
    for (Entry& entry : entries) {
        entry.sequence = ++sequence_;
        file.entries.push_back(std::move(entry));
    }
}

template <typename Call>
ssize_t DiskCache::watched(int fd, ByteRange bytes, Call change) {
    struct stat before{};
    if (::fstat(fd, &before) != 0) {
        return -1;
    }
    const FileKey key{before.st_dev, before.st_ino};
    Fd own = own_descriptor(fd, key);
    const int readable = own ? own.get() : fd;
    Places places;
    bool kept = keep(readable, bytes, places);
    if (!kept) {
        sync_all();
        own = own_descriptor(fd, key);
        kept = keep(own ? own.get() : fd, bytes, places);
    }
    const ssize_t done = change();
    struct stat after{};
    if (done < 0 || ::fstat(fd, &after) != 0) {
        const int error = errno;
        const base::Lock lock(mutex_);
        drop(places);
        errno = error;
        return -1;
    }
    {
        const base::Lock lock(mutex_);
        kept = kept && (own || files_.contains(key));
    }
    if (!kept) {
        const base::Lock lock(mutex_);
        drop(places);
    }
    if (!kept) {
        return fsync(fd) == 0 ? done : -1;
    }
    std::array<Entry, 2> entries{};
    std::size_t count = 0;
    const bool resized = before.st_size != after.st_size;
    const bool cut_off = after.st_size < before.st_size;
    Places of_data;
    Places of_size;
    (cut_off ? of_size : of_data).swap(places);
    if (!bytes.empty() && !cut_off) {
        entries.at(count++) = {0, {.file = {}, .bytes = bytes}, std::move(of_data)};
    }
    if (resized) {
        entries.at(count++) = {0,
                               {.file = {},
                                .bytes = cut_off ? bytes : ByteRange{},
                                .resizes = true,
                                .size_before = size_of(before),
                                .size_after = size_of(after)},
                               std::move(of_size)};
    }
    if (count != 0) {
        enter(key, std::move(own), std::span(entries).first(count));
    }
    return done;
}

ssize_t DiskCache::pwritev(int fd, const iovec* parts, int count, off_t offset) {
    std::uint64_t length = 0;
    for (const iovec& part : std::span(parts, static_cast<std::size_t>(count))) {
        length += part.iov_len;
    }
    const ByteOffset begin{static_cast<std::uint64_t>(offset)};
    return watched(fd, {begin, begin + ByteCount{length}},
                   [&] { return FileIo::pwritev(fd, parts, count, offset); });
}

int DiskCache::ftruncate(int fd, off_t size) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        return -1;
    }
    const ByteRange gone{ByteOffset{static_cast<std::uint64_t>(size)}, size_of(status)};
    return static_cast<int>(watched(fd, gone.empty() ? ByteRange{} : gone, [&] {
        return static_cast<ssize_t>(FileIo::ftruncate(fd, size));
    }));
}

int DiskCache::fallocate(int fd, int mode, off_t offset, off_t length) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        return -1;
    }
    ByteRange zeroed;
    if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0) {
        const ByteOffset begin{static_cast<std::uint64_t>(offset)};
        zeroed = intersect({begin, begin + ByteCount{static_cast<std::uint64_t>(length)}},
                           {ByteOffset{0}, size_of(status)});
    }
    return static_cast<int>(watched(fd, zeroed.empty() ? ByteRange{} : zeroed, [&] {
        return static_cast<ssize_t>(FileIo::fallocate(fd, mode, offset, length));
    }));
}

// --- What is synced
// -------------------------------------------------------------------------------

template <typename Sync, typename Covers>
int DiskCache::synced_by(Sync sync, Covers covers) {
    std::uint64_t mark = 0;
    {
        const base::Lock lock(mutex_);
        mark = sequence_;
    }
    if (const int failed = sync(); failed != 0) {
        return failed;
    }
    std::vector<Fd> closed; // after the lock
    const base::Lock lock(mutex_);
    for (auto file = files_.begin(); file != files_.end();) {
        if (!covers(file->first)) {
            ++file;
            continue;
        }
        auto& entries = file->second.entries;
        const auto left = std::ranges::find_if(
            entries, [&](const Entry& entry) { return entry.sequence > mark; });
        for (const Entry& entry : std::ranges::subrange(entries.begin(), left)) {
            drop(entry.before);
        }
        entries.erase(entries.begin(), left);
        if (entries.empty()) {
            closed.push_back(std::move(file->second.fd));
            file = files_.erase(file);
        } else {
            ++file;
        }
    }
    return 0;
}

int DiskCache::fdatasync(int fd) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        return -1;
    }
    return synced_by([&] { return FileIo::fdatasync(fd); },
                     [&](FileKey key) { return key == FileKey{status.st_dev, status.st_ino}; });
}

int DiskCache::fsync(int fd) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        return -1;
    }
    return synced_by([&] { return FileIo::fsync(fd); },
                     [&](FileKey key) { return key == FileKey{status.st_dev, status.st_ino}; });
}

int DiskCache::syncfs(int fd) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        return -1;
    }
    return synced_by([&] { return FileIo::syncfs(fd); },
                     [&](FileKey key) { return key.device == status.st_dev; });
}

void DiskCache::sync_all() {
    for (const Unsynced& file : unsynced()) {
        static_cast<void>(fsync(file.fd.get())); // one that fails stays as it is
    }
    {
        const base::Lock lock(mutex_);
        ++times_full_;
    }
    full_();
}

// --- What a cut takes
// -----------------------------------------------------------------------------

std::vector<DiskCache::Unsynced> DiskCache::unsynced() const {
    std::vector<Unsynced> all;
    const base::Lock lock(mutex_);
    for (const auto& [key, file] : files_) {
        Unsynced one{.file = key,
                     .fd = Fd{::fcntl(file.fd.get(), F_DUPFD_CLOEXEC, 0)},
                     .data = {},
                     .synced_size = {}};
        for (const Entry& entry : file.entries) {
            one.data.push_back(entry.change.bytes);
            if (entry.change.resizes && !one.synced_size) {
                one.synced_size = entry.change.size_before;
            }
        }
        one.data = joined(std::move(one.data));
        all.push_back(std::move(one));
    }
    return all;
}

DiskCache::Log DiskCache::take_log() {
    struct Place {
        std::uint64_t sequence;
        FileNumber file;
        Entry* entry;
    };
    Log log;
    std::vector<Place> order;
    for (auto& [key, file] : files_) {
        const FileNumber number{static_cast<std::uint32_t>(log.files.size())};
        log.files.emplace_back(key, std::move(file.fd));
        for (Entry& entry : file.entries) {
            order.push_back({entry.sequence, number, &entry});
        }
    }
    std::ranges::sort(order, {}, &Place::sequence);
    for (const Place& place : order) {
        place.entry->change.file = place.file;
        log.changes.push_back(place.entry->change);
        log.before.push_back(std::move(place.entry->before));
    }
    files_.clear();
    return log;
}

int DiskCache::put_back_part(const Log& log, std::span<const Reversal> reversals, ByteRange part,
                             Taken& taken) const {
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
            if (const auto got = store_.read(place, (here.begin - piece.begin).value, target);
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

DiskCache::Taken DiskCache::put_back(Log& log, const Aftermath& after, FileNumber number,
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
            // What lies beyond both sizes is nobody's.
            own.push_back(reversal);
            touched.push_back(intersect(
                reversal.bytes, {ByteOffset{0}, std::max(taken.size_before, taken.size_after)}));
        }
    }
    for (const ByteRange& range : joined(std::move(touched))) {
        const int failed = for_each_piece(
            range, [&](ByteRange part) NO_THREAD_SAFETY_ANALYSIS { // the analysis sees no lock here
                return put_back_part(log, own, part, taken);
            });
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
    taken.bytes = joined(std::move(taken.bytes));
    return taken;
}

DiskCache::Reverted DiskCache::revert(const Tear& tear) {
    Reverted reverted;
    const base::Lock lock(mutex_);
    Log log = take_log();
    const Aftermath after = aftermath_of(log.changes, tear);
    reverted.sectors_kept = after.sectors_kept;
    reverted.sectors_lost = after.sectors_lost;
    for (std::uint32_t number = 0; number < log.files.size(); ++number) {
        reverted.files.push_back(put_back(log, after, FileNumber{number}, reverted.error));
    }
    for (const Places& places : log.before) {
        drop(places);
    }
    return reverted;
}

std::uint64_t DiskCache::used() const {
    const base::Lock lock(mutex_);
    return store_.used();
}

std::uint64_t DiskCache::cap() const {
    const base::Lock lock(mutex_);
    return store_.cap();
}

std::uint64_t DiskCache::times_full() const {
    const base::Lock lock(mutex_);
    return times_full_;
}

} // namespace partialfs::power
