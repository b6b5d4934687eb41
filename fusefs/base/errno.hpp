// Errors of the system calls underneath, as values.
#pragma once

#include <cerrno>
#include <expected>

namespace partialfs::base {

/// A number from <cerrno>; never 0 inside a Result.
struct Errno {
    int value = 0;

    constexpr bool operator==(const Errno&) const = default;
    /// The calling thread's errno as the last failed system call left it.
    static Errno last() { return Errno{errno}; }
};

/// A value, or the errno that says why there is none.
template <typename Value>
using Result = std::expected<Value, Errno>;

inline std::unexpected<Errno> failed(int number) {
    return std::unexpected(Errno{number});
}
inline std::unexpected<Errno> last_error() {
    return std::unexpected(Errno::last());
}

} // namespace partialfs::base
