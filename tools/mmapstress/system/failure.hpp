// An error as a value: what was attempted, on what, and the errno.
#pragma once

#include <cerrno>
#include <expected>
#include <string>

namespace mmapstress {

struct Failure {
    int error = 0;    ///< from <cerrno>; 0 where no system call failed
    std::string what; ///< "cannot open /mnt/x/file0"

    /// "cannot open /mnt/x/file0: Permission denied"
    [[nodiscard]] std::string message() const;
};

template <typename Value = void>
using Outcome = std::expected<Value, Failure>;

/// A failure with the calling thread's errno.
std::unexpected<Failure> failed(std::string what);
/// A failure without an errno.
std::unexpected<Failure> refused(std::string what);

} // namespace mmapstress
