// The outcome of one step of a commit, as an errno.
#pragma once

#include "fusefs/base/exceptions.hpp"
#include "fusefs/file/ordered_flush.hpp"

namespace partialfs::file {

inline int error_in(const Flushed& flushed) {
    return flushed.error;
}
inline int error_in(int error) {
    return error;
}
template <typename Value>
int error_in(const base::Result<Value>& result) {
    return result ? 0 : result.error().value;
}

/// The errno that `step` returns (in one of several types) or that stands for an exception it
/// throws; or 0. So a file for which there is no memory fails like any other, and the other files
/// are written nevertheless.
template <typename Step>
int error_of(Step step) {
    try {
        return error_in(step());
    } catch (...) {
        return base::errno_of_exception().value;
    }
}

} // namespace partialfs::file
