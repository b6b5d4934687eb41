// Where exceptions end. What a request or a commit throws, for want of memory most of all, becomes
// the errno that it is answered with; the daemon goes on.
#pragma once

#include "fusefs/base/errno.hpp"

#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

namespace partialfs::base {

/// The errno that stands for the exception being handled: to be called in a catch block alone.
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

/// What `work` returns, a Result; if it throws, the errno that stands for that.
template <typename Work>
auto without_exceptions(Work work) -> std::invoke_result_t<Work> {
    try {
        return work();
    } catch (...) {
        return std::unexpected(errno_of_exception());
    }
}

} // namespace partialfs::base
