// Where exceptions are caught. One that a request or a commit throws, mostly for want of memory,
// becomes the errno of its answer; the daemon goes on.
#pragma once

#include "fusefs/base/errno.hpp"

#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

namespace partialfs::base {

/// The errno for the exception being handled. To be called only in a catch block.
inline Errno errno_of_exception() {
    try {
        throw;
    } catch (const std::bad_alloc&) {
        return Errno{ENOMEM};
    } catch (const std::system_error& error) {
        const bool known = error.code().category() == std::generic_category() ||
                           error.code().category() == std::system_category();
        return Errno{known && error.code().value() != 0 ? error.code().value() : EIO};
    } catch (...) {
        return Errno{EIO};
    }
}

/// The Result that `work` returns; if it throws, the errno for the exception.
template <typename Work>
auto without_exceptions(Work work) -> std::invoke_result_t<Work> {
    try {
        return work();
    } catch (...) {
        return std::unexpected(errno_of_exception());
    }
}

} // namespace partialfs::base
