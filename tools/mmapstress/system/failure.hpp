// An error as a value: what was attempted, on what, and the errno.
#pragma once

#include "fusefs/base/errno.hpp"

#include <expected>
#include <string>

namespace mmapstress {

using partialfs::base::Errno;

struct Failure {
    int error = 0;    ///< from <cerrno>; 0 where no system call failed
    std::string what; ///< "cannot open /mnt/x/file0"

    /// "cannot open /mnt/x/file0: Permission denied"
    [[nodiscard]] std::string message() const;
};

template <typename Value = void>
using Outcome = std::expected<Value, Failure>;

/// A failure with an errno; by default the calling thread's.
std::unexpected<Failure> failed(std::string what, Errno error = Errno::last());
/// A failure without an errno.
std::unexpected<Failure> refused(std::string what);

} // namespace mmapstress
