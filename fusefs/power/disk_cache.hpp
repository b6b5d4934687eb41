// The cache of the emulated disk: keeps SOURCE's contents from before each change that is not
// synced yet.
//
// It is the lowest of the layers between the daemon and SOURCE: a sync that a fault only pretends
// does not get here, so a cut can still take the changes that it should have made durable.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/base/fd.hpp"
#include "fusefs/base/mutex.hpp"
#include "fusefs/model/types.hpp"
#include "fusefs/power/command.hpp"
#include "fusefs/power/put_back.hpp"
#include "fusefs/power/undo_store.hpp"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace partialfs::power {

/// Thread-safe; changes of one file must come one at a time (FileParts::disk ensures that), and
/// revert() must be called while no other call is under way.
class DiskCache final : public backing::FileIo {
  public:
    /// `full` is called, with no lock held, whenever all files have been synced because the store
    /// could not keep more, or because its contents left no room for a change.
    DiskCache(UndoStore store, std::function<void()> full)
        : store_(std::move(store)), full_(std::move(full)) {}

    ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) override;
    int fdatasync(int fd) override;
    int fsync(int fd) override;
    int syncfs(int fd) override;
    int ftruncate(int fd, off_t size) override;
    int fallocate(int fd, int mode, off_t offset, off_t length) override;

    /// The changes of one file that are not synced.
    struct Unsynced {
        FileKey file;
        base::Fd fd; ///< for reading and writing
        std::vector<model::ByteRange> data;
        std::optional<model::ByteOffset> synced_size; ///< if the size is not synced
    };
    /// Those of each file; the descriptors are copies.
    [[nodiscard]] std::vector<Unsynced> unsynced() const;

    /// The file has no name any more, so nobody can see what a cut takes from it: drops its
    /// entries.
    void forget(FileKey key);

    /// Reverts the changes that a cut takes, and forgets all. Does not restore times.
    Reverted revert(const Tear& tear);

    [[nodiscard]] std::uint64_t used() const;
    [[nodiscard]] std::uint64_t cap() const;
    /// How often everything was synced because the store was full.
    [[nodiscard]] std::uint64_t times_full() const;

  private:
    struct Entry {
        std::uint64_t sequence; ///< counted over all files
        Change change;          ///< without the file's number
        UndoPlaces before;      ///< the former contents of change.bytes, piece by piece
    };
    struct File {
        base::Fd fd;
        std::vector<Entry> entries; ///< ascending
    };
    /// Keeps the contents of `bytes`, calls `change`, and enters the change with its effect on the
    /// size. A change whose former contents cannot be kept is synced at once. Returns what `change`
    /// returns, or -1 with errno set.
    template <typename Call>
    ssize_t watched(int fd, model::ByteRange bytes, Call change);
    /// A descriptor of the file for put_back(), open for reading and writing; none if there is one
    /// already, or the file cannot be opened so.
    [[nodiscard]] base::Fd own_descriptor(int fd, FileKey key) const;
    /// Keeps the bytes of a file, zeros beyond its end. False, and none kept, if that fails.
    bool keep(int fd, model::ByteRange bytes, UndoPlaces& places);
    void drop(const UndoPlaces& places) REQUIRES(mutex_);
    void enter(FileKey key, base::Fd fd, std::span<Entry> entries);
    /// Calls `sync()`; if that succeeds, entries made before it began are dropped as durable, for
    /// files for which `covers(key)` is true.
    template <typename Sync, typename Covers>
    int synced_by(Sync sync, Covers covers);
    void sync_all();
    [[nodiscard]] UndoLog take_log() REQUIRES(mutex_);

    mutable base::Mutex mutex_; ///< a leaf; only revert() does I/O on SOURCE's files inside
    UndoStore store_ GUARDED_BY(mutex_);
    std::map<FileKey, File> files_ GUARDED_BY(mutex_);
    std::uint64_t sequence_ GUARDED_BY(mutex_) = 0;
    std::uint64_t times_full_ GUARDED_BY(mutex_) = 0;
    const std::function<void()> full_;
};

} // namespace partialfs::power
