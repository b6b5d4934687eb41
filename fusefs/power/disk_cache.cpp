#include "fusefs/power/disk_cache.hpp"

#include "fusefs/base/exceptions.hpp"
#include "fusefs/model/byte_ranges.hpp"
#include "fusefs/power/source_bytes.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

namespace partialfs::power {

using base::Fd;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::intersect;

// --- Changes

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

bool DiskCache::keep(int fd, ByteRange bytes, UndoPlaces& places) {
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

void DiskCache::drop(const UndoPlaces& places) {
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
    if (before.st_nlink == 0) {
        return change(); // a file without a name cannot be seen after a cut
    }
    const FileKey key{before.st_dev, before.st_ino};
    Fd own = own_descriptor(fd, key);
    const int readable = own ? own.get() : fd;
    UndoPlaces places;
    bool kept = keep(readable, bytes, places);
    if (!kept) {
        sync_all();
        own = own_descriptor(fd, key);
        kept = keep(own ? own.get() : fd, bytes, places);
    }
    ssize_t done = change();
    if (done < 0 && (errno == ENOSPC || errno == EDQUOT) && used() != 0) {
        // The undo store must not take room from programs.
        {
            const base::Lock lock(mutex_);
            drop(places);
        }
        places.clear();
        kept = false;
        sync_all();
        done = change();
    }
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
    if (after.st_nlink == 0) { // its last name was removed meanwhile
        const base::Lock lock(mutex_);
        drop(places);
        return done;
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
    UndoPlaces of_data;
    UndoPlaces of_size;
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
    const ByteOffset begin = model::offset_of(offset);
    return watched(fd, {begin, begin + ByteCount{length}},
                   [&] { return FileIo::pwritev(fd, parts, count, offset); });
}

int DiskCache::ftruncate(int fd, off_t size) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        return -1;
    }
    const ByteRange gone{model::offset_of(size), size_of(status)};
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
        const ByteOffset begin = model::offset_of(offset);
        zeroed = intersect({begin, begin + ByteCount{static_cast<std::uint64_t>(length)}},
                           {ByteOffset{0}, size_of(status)});
    }
    return static_cast<int>(watched(fd, zeroed.empty() ? ByteRange{} : zeroed, [&] {
        return static_cast<ssize_t>(FileIo::fallocate(fd, mode, offset, length));
    }));
}

// --- Syncs

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
    std::vector<Fd> closed; // closed after the lock is released
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

void DiskCache::forget(FileKey key) {
    Fd closed; // closed after the lock is released
    const base::Lock lock(mutex_);
    const auto file = files_.find(key);
    if (file == files_.end()) {
        return;
    }
    for (const Entry& entry : file->second.entries) {
        drop(entry.before);
    }
    closed = std::move(file->second.fd);
    files_.erase(file);
}

void DiskCache::sync_all() {
    for (const Unsynced& file : unsynced()) {
        static_cast<void>(fsync(file.fd.get())); // after an error the file stays unsynced
    }
    {
        const base::Lock lock(mutex_);
        ++times_full_;
    }
    full_();
}

// --- Cuts

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
        one.data = model::joined(std::move(one.data));
        all.push_back(std::move(one));
    }
    return all;
}

UndoLog DiskCache::take_log() {
    struct Place {
        std::uint64_t sequence;
        FileNumber file;
        Entry* entry;
    };
    UndoLog log;
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

Reverted DiskCache::revert(const Tear& tear) {
    const base::Lock lock(mutex_);
    UndoLog log = take_log();
    Reverted reverted = put_back(log, store_, tear);
    for (const UndoPlaces& places : log.before) {
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
