// What becomes of blocks whose write the disk has refused, and who is told: kernels differ.
//
// Pure functions; any thread.
#pragma once

#include "fusefs/base/enum_names.hpp"

#include <array>
#include <cerrno>
#include <cstdint>

namespace partialfs::model {

enum class AfterWriteError : std::uint8_t {
    /// The blocks are dirty again, and written again at the next occasion. What a program wants,
    /// and no kernel does.
    keep,
    /// As ext4 and XFS do since Linux 4.13 (errseq_t, commit 5660e13d2fd6, and its users up to
    /// 4.16): the page is called clean, its bytes are lost as soon as it leaves memory. Each open
    /// file description is told once, at fsync; the fsync after that succeeds.
    clean,
    /// As kernels before that: the page is called clean, and the error is a flag of the inode
    /// (AS_EIO) which the first fsync takes away, whoever calls it, and which is gone with the
    /// inode when nobody has.
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
/// bytes are lost. What is no error of the disk's (no memory, no descriptor, no permission) never
/// costs bytes.
constexpr bool tries_again(AfterWriteError after, int error) {
    return after == AfterWriteError::keep || error == ENOMEM || error == EMFILE ||
           error == ENFILE || error == EACCES || error == EPERM;
}

/// Whether the first who asks takes the error away from the others.
constexpr bool tells_one_alone(AfterWriteError after) {
    return after == AfterWriteError::forget;
}

/// Whether only fsync(2) and its like tell of the error; if not, so do write(2) and close(2).
constexpr bool tells_at_sync_alone(AfterWriteError after) {
    return after != AfterWriteError::keep;
}

using base::name_of;

} // namespace partialfs::model
