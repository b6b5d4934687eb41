// The cache of the emulated disk: what stood in SOURCE before each change that is not synced yet.
//
// It is the lowest of the layers between the daemon and SOURCE: a fault that only pretends to sync
// never gets here, and what it was for can still be taken away by a cut.
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

/// Thread-safe; changes of one file must come one at a time (FileParts::disk sees to that), and
/// revert() must come while no other call is under way.
class DiskCache final : public backing::FileIo {
  public:
    /// `full` is called, with no lock held, whenever all files have been synced as the store could
    /// not keep more, or as what it kept left no room for a change.
    DiskCache(UndoStore store, std::function<void()> full)
        : store_(std::move(store)), full_(std::move(full)) {}

    ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) override;
    int fdatasync(int fd) override;
    int fsync(int fd) override;
    int syncfs(int fd) override;
    int ftruncate(int fd, off_t size) override;
    int fallocate(int fd, int mode, off_t offset, off_t length) override;

    /// Changes of one file that are not synced.
    struct Unsynced {
        FileKey file;
        base::Fd fd; ///< for reading and writing
        std::vector<model::ByteRange> data;
        std::optional<model::ByteOffset> synced_size; ///< if the size is not synced
    };
    /// Of each file; descriptors are copies.
    [[nodiscard]] std::vector<Unsynced> unsynced() const;

    /// The file has no name any more: nobody can see what a cut takes of it.
    void forget(FileKey key);

    /// Puts back what a cut leaves of the changes, and forgets them. Times stay what they are.
    Reverted revert(const Tear& tear);

    [[nodiscard]] std::uint64_t used() const;
    [[nodiscard]] std::uint64_t cap() const;
    /// How often all was synced as the store was full.
    [[nodiscard]] std::uint64_t times_full() const;

  private:
    struct Entry {
        std::uint64_t sequence; ///< over all files
        Change change;          ///< but for the file's number
        UndoPlaces before;      ///< of change.bytes, piece by piece
    };
    struct File {
        base::Fd fd;
        std::vector<Entry> entries; ///< ascending
    };
    /// Keeps what stands in `bytes`, makes the change, and enters it with what it has made of the
    /// size. What cannot be kept is synced at once. -1, with errno set, or what `change` returns.
    template <typename Call>
    ssize_t watched(int fd, model::ByteRange bytes, Call change);
    /// The file, open for reading and writing, for put_back(); none if it cannot be had.
    [[nodiscard]] base::Fd own_descriptor(int fd, FileKey key) const;
    /// Keeps the bytes of a file, zeros beyond its end. False: they cannot be kept, and none are.
    bool keep(int fd, model::ByteRange bytes, UndoPlaces& places);
    void drop(const UndoPlaces& places) REQUIRES(mutex_);
    void enter(FileKey key, base::Fd fd, std::span<Entry> entries);
    /// Calls `sync()`; if that succeeds, what was entered before it began is durable, of the files
    /// that `covers(key)` says.
    template <typename Sync, typename Covers>
    int synced_by(Sync sync, Covers covers);
    void sync_all();
    [[nodiscard]] UndoLog take_log() REQUIRES(mutex_);

    mutable base::Mutex mutex_; ///< a leaf; of SOURCE's files nothing waits inside but revert()
    UndoStore store_ GUARDED_BY(mutex_);
    std::map<FileKey, File> files_ GUARDED_BY(mutex_);
    std::uint64_t sequence_ GUARDED_BY(mutex_) = 0;
    std::uint64_t times_full_ GUARDED_BY(mutex_) = 0;
    const std::function<void()> full_;
};

} // namespace partialfs::power
