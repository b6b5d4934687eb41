// The operations to which rules of faults can apply, and the actions that are possible for each.
//
// There are two layers. The daemon's own system calls on the files of SOURCE are the layer `disk`;
// the kernel's requests to the daemon on behalf of programs are the layer `request`.
#pragma once

#include "fusefs/base/enum_names.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace partialfs::faults {

enum class Layer : std::uint8_t { disk, request };
inline constexpr std::array kLayers{
    base::EnumName{Layer::disk, "disk"},
    base::EnumName{Layer::request, "request"},
};
constexpr const auto& enum_names(Layer) {
    return kLayers;
}

/// The action of a fault. A rule has one of these, and takes it after its delay if it has one.
enum class Action : std::uint8_t {
    delay,         ///< only waits
    error,         ///< the operation fails with an errno, and does nothing else
    out_of_memory, ///< the daemon finds no memory for it
    short_count,   ///< fewer bytes are read or written than asked for
    torn,          ///< the first bytes are written, then the operation fails
    skip,          ///< the operation does nothing, and reports success
    flip,          ///< bits of the bytes read are flipped
    stale,         ///< a read returns the contents from before the last write
    full,          ///< there is room for so many bytes, then ENOSPC
};
inline constexpr std::array kActions{
    base::EnumName{Action::delay, "delay"},
    base::EnumName{Action::error, "errno"},
    base::EnumName{Action::out_of_memory, "bad_alloc"},
    base::EnumName{Action::short_count, "short"},
    base::EnumName{Action::torn, "torn"},
    base::EnumName{Action::skip, "skip"},
    base::EnumName{Action::flip, "flip"},
    base::EnumName{Action::stale, "stale"},
    base::EnumName{Action::full, "enospc-after"},
};
constexpr const auto& enum_names(Action) {
    return kActions;
}

enum class Operation : std::uint8_t {
    // On the disk: the functions of backing::FileIo.
    pread,
    pwrite,
    fdatasync,
    fsync,
    syncfs,
    ftruncate,
    fallocate,
    futimens,
    // Requests, by their names in FUSE.
    lookup,
    getattr,
    setattr,
    readlink,
    mknod,
    mkdir,
    unlink,
    rmdir,
    symlink,
    rename,
    link,
    create,
    open,
    read,        ///< by read(2) and similar calls
    mapped_read, ///< to fill a page for a page fault
    write,       ///< by write(2) and similar calls
    writepage,   ///< by the kernel's writeback of dirty pages
    request_fsync,
    flush, ///< by close(2)
    request_fallocate,
    lseek,
    statfs,
    getxattr,
    setxattr,
    listxattr,
    removexattr,
    opendir,
    readdir,
    fsyncdir,
};

/// The actions and filters of rules that an operation allows.
enum Ability : std::uint8_t {
    kReads = 1U << 0U,     ///< it reads bytes: short, flip
    kReadsDisk = 1U << 1U, ///< it reads bytes of a file of SOURCE: stale
    kWrites = 1U << 2U,    ///< it writes bytes: short, enospc-after
    kTears = 1U << 3U,     ///< its bytes can be written in part before it fails: torn
    kAllocates = 1U << 4U, ///< it allocates room: enospc-after
    kSkips = 1U << 5U,     ///< success needs no result that would have to be invented: skip
    kHasRange = 1U << 6U,  ///< it concerns a range of bytes: the filter offset
    kHasCaller = 1U << 7U, ///< a program causes it: the filters uid and pid
};

struct OperationRow {
    Operation value;
    /// Its name in rules and in the trace.
    std::string_view name;
    Layer layer;
    std::uint8_t abilities;
};

inline constexpr std::array kOperations{
    OperationRow{Operation::pread, "pread", Layer::disk, kReads | kReadsDisk | kHasRange},
    OperationRow{Operation::pwrite, "pwrite", Layer::disk, kWrites | kTears | kSkips | kHasRange},
    OperationRow{Operation::fdatasync, "fdatasync", Layer::disk, kSkips},
    OperationRow{Operation::fsync, "fsync", Layer::disk, kSkips},
    OperationRow{Operation::syncfs, "syncfs", Layer::disk, kSkips},
    OperationRow{Operation::ftruncate, "ftruncate", Layer::disk, kSkips},
    OperationRow{Operation::fallocate, "fallocate", Layer::disk, kAllocates | kSkips | kHasRange},
    OperationRow{Operation::futimens, "futimens", Layer::disk, kSkips},
    OperationRow{Operation::lookup, "lookup", Layer::request, kHasCaller},
    OperationRow{Operation::getattr, "getattr", Layer::request, kHasCaller},
    OperationRow{Operation::setattr, "setattr", Layer::request, kSkips | kHasCaller},
    OperationRow{Operation::readlink, "readlink", Layer::request, kHasCaller},
    OperationRow{Operation::mknod, "mknod", Layer::request, kHasCaller},
    OperationRow{Operation::mkdir, "mkdir", Layer::request, kHasCaller},
    OperationRow{Operation::unlink, "unlink", Layer::request, kSkips | kHasCaller},
    OperationRow{Operation::rmdir, "rmdir", Layer::request, kSkips | kHasCaller},
    OperationRow{Operation::symlink, "symlink", Layer::request, kHasCaller},
    OperationRow{Operation::rename, "rename", Layer::request, kSkips | kHasCaller},
    OperationRow{Operation::link, "link", Layer::request, kHasCaller},
    OperationRow{Operation::create, "create", Layer::request, kHasCaller},
    OperationRow{Operation::open, "open", Layer::request, kHasCaller},
    OperationRow{Operation::read, "read", Layer::request, kReads | kHasRange | kHasCaller},
    OperationRow{Operation::mapped_read, "mapped-read", Layer::request,
                 kReads | kHasRange | kHasCaller},
    OperationRow{Operation::write, "write", Layer::request,
                 kWrites | kTears | kSkips | kHasRange | kHasCaller},
    OperationRow{Operation::writepage, "writepage", Layer::request, kTears | kSkips | kHasRange},
    OperationRow{Operation::request_fsync, "request:fsync", Layer::request, kSkips | kHasCaller},
    OperationRow{Operation::flush, "flush", Layer::request, kSkips | kHasCaller},
    OperationRow{Operation::request_fallocate, "request:fallocate", Layer::request,
                 kAllocates | kSkips | kHasRange | kHasCaller},
    OperationRow{Operation::lseek, "lseek", Layer::request, kHasCaller},
    OperationRow{Operation::statfs, "statfs", Layer::request, kHasCaller},
    OperationRow{Operation::getxattr, "getxattr", Layer::request, kHasCaller},
    OperationRow{Operation::setxattr, "setxattr", Layer::request, kSkips | kHasCaller},
    OperationRow{Operation::listxattr, "listxattr", Layer::request, kHasCaller},
    OperationRow{Operation::removexattr, "removexattr", Layer::request, kSkips | kHasCaller},
    OperationRow{Operation::opendir, "opendir", Layer::request, kHasCaller},
    OperationRow{Operation::readdir, "readdir", Layer::request, kHasCaller},
    OperationRow{Operation::fsyncdir, "fsyncdir", Layer::request, kSkips | kHasCaller},
};
constexpr const auto& enum_names(Operation) {
    return kOperations;
}

/// Whether an operation has at least one of these abilities.
constexpr bool has_ability(Operation operation, unsigned any_of) {
    return (base::row_of(operation).abilities & any_of) != 0;
}

/// Whether an action is possible for an operation.
constexpr bool can_do(Operation operation, Action action) {
    switch (action) {
    case Action::delay:
    case Action::error:
    case Action::out_of_memory:
        return true;
    case Action::short_count:
        return has_ability(operation, unsigned{kReads} | unsigned{kWrites});
    case Action::torn:
        return has_ability(operation, kTears);
    case Action::skip:
        return has_ability(operation, kSkips);
    case Action::flip:
        return has_ability(operation, kReads);
    case Action::stale:
        return has_ability(operation, kReadsDisk);
    case Action::full:
        return has_ability(operation, unsigned{kWrites} | unsigned{kAllocates});
    }
    return false;
}

using base::name_of;
using base::row_of;

} // namespace partialfs::faults
