// Faults of kernels that are known, so that a report which meets one says so.
//
//     K1  FUSE, seen on Linux 6.18: what the kernel stores into a mapping, as a read with O_DIRECT,
//         is gone if the file changes its size meanwhile. Stores by the processor are not.
//     K2  ext4 with data=journal, seen on Linux 6.18: such reads beside sync_file_range and fsync
//     of
//         two threads hang the journal for good, and with it sync(2) of the whole machine.
//     K3  FUSE, tmpfs: bytes stored past the end of a file, in its last page, become part of it
//     when
//         it grows. mmap(2) leaves that open; ext4, XFS and btrfs zero them.
//     K4  FUSE, seen on Linux 6.18: bytes of a write(2) that makes the file longer become zeros if
//         the page that the file ended in is written back meanwhile, as a mapping has stored into
//         it. ext4, XFS, btrfs and tmpfs keep them.
//     K5  XFS, seen on Linux 6.18: where a punch or zero-range begins or ends inside a page, that
//         page's other bytes become zeros if the kernel stores through a mapping into the same
//         large folio meanwhile. The folio is pinned and cannot be split, has been zeroed already,
//         and is dirty again, so it stays. ext4 is not known to.
//     K6  ext4 with data=journal, seen on Linux 6.1, where it takes one thread: of stores through a
//         mapping that no sync has brought to their place on disk, what lies behind an insert-range
//         is gone, as the extents move and the journal's copy does not. Linux 6.18 keeps it.
//     K7  FUSE, seen on Linux 6.18: where a punch or zero-range begins or ends inside a page, old
//         bytes come back, on disk, if a mapping stores into that page meanwhile and it is written
//         back. Nothing keeps the kernel from doing so between the daemon's zeroing and its own.
//     K8  ext2, ext4, XFS, seen on Linux 6.18: what an O_DIRECT read puts into a mapping is gone if
//         the folio is written back meanwhile and another block of it becomes dirty, by write(2),
//         say: bio_check_pages_dirty() then finds the folio dirty and marks nothing, and writeback
//         passes over the clean blocks. The rule of 2006, with blocks smaller than a folio.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

struct DamagedRange;
struct RunResult;

struct KnownFault {
    std::string_view name; ///< "K1"
    std::string text;      ///< what of it was met, and what to do

    bool operator==(const KnownFault&) const = default;
};

/// Those that a result shows. Pure; any thread.
std::vector<KnownFault> known_faults(const RunResult& result);

/// Whether there is damage, and known faults explain every range of it. Pure; any thread.
bool is_known_damage(const RunResult& result);

/// Whether K4 can explain that the bytes of the operation with this line of text are lost: it wrote
/// them by write(2), and they are zeros. Whether it made the file longer the line does not say.
bool is_cleared_growth(const DamagedRange& range, std::string_view line);

/// Whether K7 can explain that what the operation with this line of text zeroed is not zero.
bool is_zeroing_undone(const DamagedRange& range, std::string_view line);

/// Of an operation's line of text, whether the kernel stored its bytes into the mapping.
bool is_stored_by_kernel(std::string_view line);

} // namespace mmapstress
