// One operation of a schedule, and what exactly it does.
//
// A schedule is a list of such operations. mmapstress carries it out with ordinary system calls;
// vmmodel predicts from the same list what a given kernel would lose. So every operation's system
// calls are stated here, and nothing else is called.
//
// Plain values: no I/O, any thread.
#pragma once

#include "fusefs/model/types.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace mmapstress {

using partialfs::model::ByteCount;
using partialfs::model::ByteOffset;
using partialfs::model::ByteRange;
using partialfs::model::kPageSize;
using partialfs::model::PageIndex;

/// Names an operation for the whole life of its schedule: ascending, from 1, gaps allowed (a
/// minimised schedule keeps the ids of the one it came from). The bytes an operation stores follow
/// from its id. 0 is the content a file starts with.
using OpId = partialfs::model::Strong<struct OpTag>;
/// One of the schedule's files, counted from 0.
using FileIndex = partialfs::model::Strong<struct FileTag, std::uint32_t>;
/// One of the two mappings a file may have at once: 0 or 1.
using MapIndex = partialfs::model::Strong<struct MapTag, std::uint8_t>;
/// The worker (a thread of one of the processes) that carries an operation out, counted from 0.
using WorkerIndex = partialfs::model::Strong<struct WorkerTag, std::uint16_t>;

/// How many mappings a file may have at once.
inline constexpr std::uint8_t kMapsPerFile = 2;

/// What an operation does. "The file" is open read-write for the whole run. "The mapping" is
/// mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0) of as many bytes as the file has at
/// that moment, rounded up to pages; an operation that needs a mapping which is not there makes it
/// first, so map need not be written. A mapping that does not cover what an operation needs (a
/// growing file has outgrown it, or it is of a part of the file only) is unmapped and made anew, of
/// all.
enum class OpKind : std::uint8_t {
    /// pwrite() before the run proper, part of how a file starts; only before all other operations.
    start_write,
    /// Stores `length` bytes at `offset` through mapping `map`: memory writes, no system call.
    store,
    /// pwrite(fd, bytes, length, offset); may grow the file. Short writes are continued.
    write,
    /// pwrite() at the file's end, of `length` bytes. `offset` is not given: it is the size then.
    append,
    /// ftruncate(fd, length). Mappings stay as they are.
    truncate,
    /// fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length).
    punch,
    /// msync(MS_SYNC) of the mapping; `offset`, `length` (rounded out to pages) or all of it if
    /// length is 0.
    msync,
    /// The same with MS_ASYNC.
    msync_async,
    /// fsync(fd).
    fsync,
    /// fdatasync(fd).
    fdatasync,
    /// sync_file_range(fd, offset, length, WAIT_BEFORE | WRITE | WAIT_AFTER).
    sync_file_range,
    /// A journal commit that touches none of the files: openat(O_CREAT|O_EXCL|O_WRONLY) of a new
    /// file in the run's directory, pwrite of one byte, fsync, unlink, close. The byte is needed:
    /// on Linux 2.6.19 the fsync of a new, empty file commits nothing, as creating one sets neither
    /// I_DIRTY_SYNC nor I_DIRTY_DATASYNC. With `commit-by syncfs` or `commit-by sync` in the
    /// header: that system call instead.
    commit,
    /// syncfs() of the run's directory: what sync() does, without writing other filesystems back,
    /// where somebody else may be at work. Before Linux 2.6.39: sync().
    sync,
    /// mmap() of mapping `map`, if it is not there: of the range, rounded out to pages, or of all
    /// of
    /// the file if none is given. A program that maps a file piece by piece does the former.
    map,
    /// munmap() of mapping `map`, if it is there.
    unmap,
    /// munmap() of mapping `map`, then mmap() at another address.
    remap,
    /// fork(); the child stores through mapping `map` as it inherited it and calls _exit(); the
    /// parent waits. The child has page table entries of its own.
    fork_store,
    /// Makes the file leave the page cache: fchmod(fd, 0600) (so that the fsync commits), fsync(fd)
    /// while still mapped, munmap() of both mappings, posix_fadvise(fd, 0, 0, DONTNEED), and proof
    /// by mincore() and cachestat() that no page is left. If pages are left: fsync(fd) and the
    /// posix_fadvise() again, at most 20 times, then /proc/sys/vm/drop_caches if that may be
    /// written.
    evict,
    /// pread(fd) of the range; what comes must be the expected bytes.
    read_check,
    /// Loads the range through mapping `map`; it must hold the expected bytes.
    live_check,
    /// pread() of the range, rounded out to pages, through a second descriptor opened with
    /// O_DIRECT. The kernel writes dirty pages of the range back first.
    direct_read_check,
    /// nanosleep() of `pause` microseconds.
    pause,
    /// fchmod(fd, 0600): nothing changes but the inode, which the next fsync will have to commit.
    fchmod,
    /// Loads one byte, at `offset`, through mapping `map`: a read fault if the page is not there.
    read_fault,
    /// mprotect(PROT_READ), then mprotect(PROT_READ|PROT_WRITE), of all of mapping `map`.
    mprotect,
    /// madvise(MADV_DONTNEED) of the range (rounded out to pages) of mapping `map`.
    madvise_dontneed,
};

inline constexpr std::size_t kOpKinds = static_cast<std::size_t>(OpKind::madvise_dontneed) + 1;

/// What a kind of operation takes and does: the one table that parser, printer and executor share.
struct OpTraits {
    OpKind kind;
    std::string_view name; ///< as in the text format
    bool has_file;
    bool has_map;
    bool has_offset;
    bool has_length;
    bool range_optional; ///< offset and length may be left out: all of the file
    bool has_content;    ///< puts bytes into the file
    /// Must not run at the same time as another worker's operation on the same file.
    bool alone;
};

/// The traits of `kind`.
const OpTraits& traits_of(OpKind kind);
/// The kind called `name`, or nothing.
std::optional<OpKind> kind_named(std::string_view name);

/// Where an operation's bytes come from.
enum class ContentKind : std::uint8_t {
    pattern, ///< from seed, file, operation id and offset: see pattern.hpp
    fill,    ///< one byte value throughout
    data,    ///< the bytes stand in the schedule
};

struct Content {
    ContentKind kind = ContentKind::pattern;
    std::byte fill{};            ///< if kind is fill
    std::vector<std::byte> data; ///< if kind is data: as many as the operation's length

    bool operator==(const Content&) const = default;
};

struct Op {
    OpId id;
    OpKind kind = OpKind::pause;
    MapIndex map;
    WorkerIndex by;
    FileIndex file;
    ByteOffset offset;
    ByteCount length;        ///< for truncate: the new size
    std::uint64_t pause = 0; ///< microseconds
    Content content;
    /// Of fsync, fdatasync, msync in a recorded run: whether it committed the journal. Only a
    /// predictor looks at it.
    std::optional<bool> commits;

    bool operator==(const Op&) const = default;
    /// The bytes of the file that it names. Of an append: empty, as its offset is known only then.
    [[nodiscard]] ByteRange range() const { return {offset, offset + length}; }
};

} // namespace mmapstress
