// What becomes of blocks whose write the disk has refused, and who gets the error: kernels differ.
//
// Pure functions; any thread.
#pragma once

#include "fusefs/base/enum_names.hpp"

#include <array>
#include <cerrno>
#include <cstdint>

namespace partialfs::model {

enum class AfterWriteError : std::uint8_t {
    /// The blocks are dirty again, and written again at the next opportunity. What programs want,
    /// but no kernel does.
    keep,
    /// As ext4 and XFS do since Linux 4.13 (errseq_t, commit 5660e13d2fd6, and its users up to
    /// 4.16): the page is called clean, its bytes are lost as soon as it leaves memory. fsync
    /// reports the error once to each open file description; the next fsync succeeds.
    clean,
    /// As kernels before that: the page is called clean, and the error is a flag of the inode
    /// (AS_EIO). The first fsync reports and clears it, whoever calls it; without an fsync it is
    /// gone with the inode.
    forget,
};
inline constexpr std::array kAfterWriteErrors{
    base::EnumName{AfterWriteError::keep, "keep"},
    base::EnumName{AfterWriteError::clean, "clean"},
    base::EnumName{AfterWriteError::forget, "forget"},
};
constexpr const auto& enum_names(AfterWriteError) {
    return kAfterWriteErrors;
}

/// Whether the blocks are dirty again after this errno; if not, they are called clean, and their
/// bytes are lost. An errno that is not the disk's (no memory, no descriptor, no permission) never
/// costs bytes.
constexpr bool tries_again(AfterWriteError after, int error) {
    return after == AfterWriteError::keep || error == ENOMEM || error == EMFILE ||
           error == ENFILE || error == EACCES || error == EPERM;
}

/// Whether the first fsync that reports the error clears it for all others.
constexpr bool tells_one_alone(AfterWriteError after) {
    return after == AfterWriteError::forget;
}

/// Whether only fsync(2) and other syncs report the error; if not, so do write(2) and close(2).
constexpr bool tells_at_sync_alone(AfterWriteError after) {
    return after != AfterWriteError::keep;
}

using base::name_of;

} // namespace partialfs::model
