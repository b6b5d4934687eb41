// What an operating system does with the operations of a schedule, as far as this decides which
// bytes reach the disk.
//
// Not thread-safe.
#pragma once

#include "fusefs/model/file_state.hpp"
#include "fusefs/model/types.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vmmodel {

/// Position of a file in its schedule, from 0.
using FileNumber = partialfs::model::Strong<struct FileTag, std::uint32_t>;
/// One mapping of a file in one process.
using MapNumber = partialfs::model::Strong<struct MapTag, std::uint8_t>;
/// How many mappings of one file there may be, a forked child's included.
inline constexpr std::uint8_t kMaxMappings = 64;
/// A set of them: bit m is mapping m.
using Mappings = std::uint64_t;
constexpr Mappings bit(MapNumber map) {
    return Mappings{1} << map.value;
}
inline constexpr partialfs::model::ByteRange kWholeFile{
    partialfs::model::ByteOffset{0}, partialfs::model::ByteOffset{~std::uint64_t{0}}};
/// The id of an operation in its schedule, from 1, gaps allowed; 0 stands for none.
using OpNumber = partialfs::model::Strong<struct OpTag, std::uint64_t>;

/// A range of bytes that are not on disk as they should be.
struct Damage {
    FileNumber file;
    partialfs::model::ByteRange range;
    /// The operation that last wrote the page back without these bytes; none if a truncation or
    /// the like made the bytes differ.
    OpNumber lost_by;
    /// The operation whose commit had written the block and called it clean; none if the block
    /// was clean for another reason.
    OpNumber cleaned_by;

    bool operator==(const Damage&) const = default;
};

/// For each block of a page, the operations that Damage would name.
struct BlockStory {
    std::array<OpNumber, 8> lost_by{};
    std::array<OpNumber, 8> cleaned_by{};
};

/// The flags of sync_file_range(2), by their effect.
struct SyncRangeFlags {
    bool wait_before = true;
    bool write = true;
    bool wait_after = true;
};

using partialfs::model::InodeDirty;

class Predictor {
  public:
    Predictor() = default;
    Predictor(const Predictor&) = delete;
    Predictor& operator=(const Predictor&) = delete;
    Predictor(Predictor&&) = delete;
    Predictor& operator=(Predictor&&) = delete;
    virtual ~Predictor() = default;

    /// A new file of `size` bytes, sparse and without mappings.
    virtual FileNumber create(partialfs::model::ByteOffset size) = 0;
    [[nodiscard]] virtual partialfs::model::ByteOffset size(FileNumber file) const = 0;
    /// What a program would read there now, page cache included. Zeros past the end.
    [[nodiscard]] virtual std::vector<std::byte> read(FileNumber file,
                                                      partialfs::model::ByteRange range) const = 0;

    /// The calls that follow are made for operation `op`. The number is only recorded, as in
    /// Damage::lost_by and cleaned_by.
    void begin(OpNumber op) { op_ = op; }

    /// Stores through a mapping, faulting where needed. Bytes past the end of the file's last page
    /// would be a SIGBUS: the caller has to clip them.
    virtual void store(FileNumber file, MapNumber map, partialfs::model::ByteOffset offset,
                       std::span<const std::byte> bytes) = 0;
    /// A load through a mapping.
    virtual void read_fault(FileNumber file, MapNumber map, partialfs::model::ByteRange range) = 0;
    /// A write fault on every page of the range that changes no byte, as mlock(2) does.
    virtual void write_fault(FileNumber file, MapNumber map, partialfs::model::ByteRange range) = 0;
    /// madvise(MADV_DONTNEED): the pages of the range leave the page tables.
    virtual void drop_ptes(FileNumber file, MapNumber map, partialfs::model::ByteRange range) = 0;
    /// munmap(2) of a whole mapping.
    virtual void unmap(FileNumber file, MapNumber map) = 0;
    /// exit(2) of a forked child: it gives up this inherited mapping and all inherited files.
    virtual void child_exits(FileNumber file, MapNumber map) = 0;

    /// pwrite(2), growing the file if needed.
    virtual void write(FileNumber file, partialfs::model::ByteOffset offset,
                       std::span<const std::byte> bytes) = 0;
    /// ftruncate(2) to any size.
    virtual void truncate(FileNumber file, partialfs::model::ByteOffset size) = 0;
    /// fallocate(2) with FALLOC_FL_PUNCH_HOLE.
    virtual void punch(FileNumber file, partialfs::model::ByteRange range) = 0;
    /// A change of the inode alone, as fchmod(2): the next fsync will commit.
    virtual void touch_inode(FileNumber file) = 0;

    /// A journal commit that touches none of the files: a new file gets a byte and is fsynced.
    virtual void commit() = 0;
    /// fsync(2), fdatasync(2). `commits` says whether this one committed where that is known;
    /// otherwise it does if the inode is dirty.
    virtual void fsync(FileNumber file, std::optional<bool> commits) = 0;
    /// msync(2) with MS_SYNC over a mapping; every mapping of the file if none is named.
    virtual void msync(FileNumber file, std::optional<MapNumber> map,
                       partialfs::model::ByteRange range, std::optional<bool> commits) = 0;
    /// msync(2) with MS_ASYNC.
    virtual void msync_async(FileNumber file, std::optional<MapNumber> map,
                             partialfs::model::ByteRange range) = 0;
    virtual void sync_file_range(FileNumber file, partialfs::model::ByteRange range,
                                 SyncRangeFlags flags) = 0;
    /// sync(2), syncfs(2).
    virtual void sync() = 0;
    /// pread(2) through the page cache.
    virtual void cached_read(FileNumber file, partialfs::model::ByteRange range) = 0;
    /// open(2) with O_DIRECT, pread(2), close(2): dirty pages are written back first; no commit.
    virtual void direct_read(FileNumber file, partialfs::model::ByteRange range) = 0;
    /// POSIX_FADV_DONTNEED: dirty pages are written back (no commit), and clean pages without PTEs
    /// leave the page cache. Returns whether no page is left.
    virtual bool evict(FileNumber file) = 0;

    /// Where the disk differs from the expected bytes: maximal ranges, by file and offset. It means
    /// something only when everything has left the page cache: before that, bytes that are not
    /// written yet count, too.
    [[nodiscard]] virtual std::vector<Damage> damage() const = 0;

    /// Whether files are block devices: their size never changes, and they have no holes.
    [[nodiscard]] virtual bool sizes_are_fixed() const { return false; }

    /// Reasons why the schedule has other possible outcomes than the predicted one; empty if the
    /// prediction is certain.
    [[nodiscard]] const std::vector<std::string>& doubts() const { return doubts_; }

    void note_doubt(std::string why) { doubts_.push_back(std::move(why)); }

  protected:
    [[nodiscard]] OpNumber op() const { return op_; }

    /// Whether an fsync commits: as `commits` says where that is known, otherwise if the inode is
    /// dirty. Notes a doubt where the clock decides.
    bool will_commit(InodeDirty dirty, std::optional<bool> commits);

  private:
    OpNumber op_{0};
    std::vector<std::string> doubts_;
};

} // namespace vmmodel
