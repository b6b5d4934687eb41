// Known faults of kernels, so that a report names those that its run met.
//
//     K1  FUSE, seen on Linux 6.18: bytes that the kernel stores into a mapping, as a read with
//         O_DIRECT does, are lost if the file changes its size meanwhile. Stores by the processor
//         are not.
//     K2  ext4 with data=journal, seen on Linux 6.18: such reads beside sync_file_range and fsync
//         of two threads hang the journal for good, and with it sync(2) of the whole machine.
//     K3  FUSE, tmpfs: bytes stored past the end of a file, in its last page, become part of it
//         when it grows. mmap(2) leaves that open; ext4, XFS and btrfs zero them.
//     K4  FUSE, seen on Linux 6.18: bytes of a write(2) that makes the file longer become zeros if
//         the page that the file ended in is written back meanwhile, as a mapping has stored into
//         it. ext4, XFS, btrfs and tmpfs keep them.
//     K5  XFS, seen on Linux 6.18: where a punch or zero-range begins or ends inside a page, that
//         page's other bytes become zeros if the kernel stores through a mapping into the same
//         large folio meanwhile. The folio is pinned and cannot be split, has been zeroed already,
//         and is dirty again, so it stays. This is not known of ext4.
//     K6  ext4 with data=journal, seen on Linux 6.1, where one thread is enough: stores through a
//         mapping that no sync has brought to their place on disk are lost if they lie behind an
//         insert-range, as the extents move and the journal's copy does not. Linux 6.18 keeps them.
//     K7  FUSE, seen on Linux 6.18: where a punch or zero-range begins or ends inside a page, old
//         bytes come back, on disk, if a mapping stores into that page meanwhile and it is written
//         back. Nothing prevents that writeback between the daemon's zeroing and the kernel's own.
//     K8  ext2, ext4, XFS, seen on Linux 6.18: bytes that an O_DIRECT read puts into a mapping are
//         lost if the folio is written back meanwhile and another block of it becomes dirty, for
//         example by write(2): bio_check_pages_dirty() then finds the folio dirty and marks
//         nothing, and writeback passes over the clean blocks. This is the bug of 2006 again, with
//         blocks smaller than a folio.
//     K9  ext4, XFS after a crash, seen on Linux 6.1 and 6.18: bytes that had been synced are
//         overwritten by those of a later write to another place. An insert-range or collapse-range
//         moves extents in a transaction that need not be on disk yet; writeback, like a write with
//         O_DIRECT, goes to the moved blocks and does not wait for it. If the crash undoes the
//         move, the blocks are back at their old place, with the new bytes.
//     K10 9p with cache=mmap, seen on Linux 6.1: bytes of write(2) are lost if a mapping has made
//         their page dirty. The server has got them, and then the page as it was before.
//         A report does not name it: with another cache mode it would be another fault.
//     K11 NFS, seen on Linux 6.1: bytes that an O_DIRECT read puts into a mapping are lost if the
//         page is written back meanwhile: what names the page as one to write is gone then.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

struct DamagedRange;
struct RunResult;

struct KnownFault {
    std::string_view name; ///< "K1"
    std::string text;      ///< what the run met, and how to avoid it

    bool operator==(const KnownFault&) const = default;
};

/// The known faults that a result shows. Pure; any thread.
std::vector<KnownFault> known_faults(const RunResult& result);

/// Whether there is damage, and known faults explain every range of it. Pure; any thread.
bool is_known_damage(const RunResult& result);

/// Whether K4 can explain that the bytes of the operation with this line of text are lost: it wrote
/// them by write(2), and they are zeros. The line does not show whether it made the file longer.
bool is_cleared_growth(const DamagedRange& range, std::string_view line);

/// Whether K7 can explain that bytes which the operation with this line of text zeroed are not
/// zero.
bool is_zeroing_undone(const DamagedRange& range, std::string_view line);

/// Whether the kernel stored the bytes of the operation with this line of text into the mapping.
bool is_stored_by_kernel(std::string_view line);

} // namespace mmapstress
