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
#include <bitset>
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
/// first, so a schedule need not have `map`. A mapping that does not cover the range of an
/// operation (the file has grown, or only a part of the file was mapped) is unmapped and made anew,
/// of all of the file.
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
    /// syncfs() of the run's directory: what sync() does, but without writing back other
    /// filesystems, which others may be using. Before Linux 2.6.39: sync().
    sync,
    /// mmap() of mapping `map`, if it is not there: of the range, rounded out to pages, or of all
    /// of the file if no range is given. A program that maps a file piece by piece does the former.
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

    // The operations from here on are younger than 2006: a kernel or a filesystem may lack them,
    // and vmmodel does not know them. "The helper" is a file of the worker's own in the run's
    // directory, or in --helper-dir.

    // Bytes that the kernel stores through mapping `map`.
    /// pwrite() of the bytes into the helper and pread() of them into the mapping, both through a
    /// descriptor opened with O_DIRECT. Multiples of 512.
    direct_read_store,
    /// The same with io_uring's IORING_OP_READV in pread()'s place.
    uring_read_store,
    /// The same with IORING_REGISTER_BUFFERS of the range of the mapping, IORING_OP_READ_FIXED and
    /// IORING_UNREGISTER_BUFFERS.
    uring_fixed_store,
    /// prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY), where there is Yama; fork(); the child calls
    /// process_vm_writev() into the parent's mapping, and _exit(); the parent waits.
    vm_write_store,
    /// pwrite() of the bytes into the helper and pread() of them into the mapping, through the page
    /// cache.
    read_store,
    /// 16 KiB at a time, sendmsg() into one end of a pair of sockets and recvmsg() from the other
    /// into the mapping.
    recvmsg_store,

    /// sync_file_range(fd, offset, length, WRITE): begins writeback and does not wait for it.
    start_writeback,
    /// fallocate(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length).
    zero_range,
    /// pwrite() through a second descriptor of the file, opened with O_DIRECT, from an aligned
    /// buffer. Multiples of 512. The page cache and O_DIRECT agree only if no other worker changes
    /// the same folio meanwhile: changed_together() of op_effect.hpp.
    direct_write,
    /// pwritev2(RWF_DONTCACHE): through the page cache, which forgets the pages once written.
    dontcache_write,
    /// mremap(MREMAP_MAYMOVE | MREMAP_FIXED) of all of mapping `map` to an address that
    /// mmap(PROT_NONE) has found free.
    mremap,
    /// madvise(MADV_PAGEOUT) of the range (rounded out to pages) of mapping `map`.
    madvise_pageout,
    /// The same with MADV_COLD.
    madvise_cold,
    /// fallocate(FALLOC_FL_COLLAPSE_RANGE, offset, length): what follows moves to the front, the
    /// file becomes shorter. Multiples of 4096; the range ends before the end of the file.
    collapse,
    /// fallocate(FALLOC_FL_INSERT_RANGE, offset, length): zeros, and what was there moves to the
    /// back. Multiples of 4096, inside the file.
    insert,
    /// copy_file_range() of `length` bytes at `from` of file `source` to `offset`; may grow the
    /// file. Short copies are continued. The two ranges must not overlap.
    copy,
    /// ioctl(FICLONERANGE) of the same. Multiples of 4096.
    clone,
    /// Stores through mapping `map` behind the end of the file, in its last page. No byte of the
    /// file changes; should the file grow, mmap(2) leaves open whether these bytes appear.
    past_eof_store,
    /// ioctl(FICLONE): all of file `source` replaces as many bytes at the start of the file; may
    /// grow it. `length` is the size of `source` at that moment; if the file is longer, it is a
    /// multiple of 4096.
    clone_file,
    /// Eviction that other workers need not wait for: fsync(fd), madvise(MADV_DONTNEED) of those of
    /// the two mappings that are there, posix_fadvise(fd, 0, 0, DONTNEED). Pages may be left, as
    /// others may be storing into them; it is not checked.
    drop_pages,
};

inline constexpr std::size_t kOpKinds = static_cast<std::size_t>(OpKind::drop_pages) + 1;
/// Some of the kinds: bit i is the kind of that number.
using OpSet = std::bitset<kOpKinds>;

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
    /// Must not run at the same time as another worker's operation on the same file. Others may,
    /// if they change other bytes: changed_together() of op_effect.hpp.
    bool alone;
    bool may_lack = false;   ///< a kernel or a filesystem may not have it
    bool by_kernel = false;  ///< the kernel stores through the mapping, not the processor
    std::uint32_t unit = 1;  ///< offset, length and from are multiples of it
    bool has_source = false; ///< its bytes are those of another range: `source` and `from`
};

/// The traits of `kind`.
const OpTraits& traits_of(OpKind kind);
/// The set of one kind.
inline OpSet only(OpKind kind) {
    return OpSet{}.set(static_cast<std::size_t>(kind));
}
inline bool contains(const OpSet& set, OpKind kind) {
    return set[static_cast<std::size_t>(kind)];
}
/// The kinds with this trait.
OpSet kinds_with(bool OpTraits::* trait);
/// The kind called `name`, or nothing.
std::optional<OpKind> kind_named(std::string_view name);

/// Where an operation's bytes come from.
enum class ContentKind : std::uint8_t {
    pattern, ///< from seed, file, operation id and offset: see pattern.hpp
    fill,    ///< one byte value throughout
    data,    ///< the bytes are in the schedule
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
    FileIndex source;        ///< of copy, clone and clone-file
    ByteOffset from;         ///< of copy and clone: where in `source`; of clone-file 0
    std::uint64_t pause = 0; ///< microseconds
    Content content;
    /// Of fsync, fdatasync, msync in a recorded run: whether it committed the journal. Only a
    /// predictor looks at it.
    std::optional<bool> commits;

    bool operator==(const Op&) const = default;
    /// The bytes of the file that it names. Of an append only once OpWalker has set `offset`.
    [[nodiscard]] ByteRange range() const { return {offset, offset + length}; }
    /// The bytes that it copies.
    [[nodiscard]] ByteRange source_range() const { return {from, from + length}; }
};

} // namespace mmapstress
