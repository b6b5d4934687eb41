// Uses one descriptor for a file instead of two when descriptors get scarce.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"
#include "fusefs/base/mutex.hpp"

#include <memory>

namespace partialfs::backing {

/// A file has an O_PATH descriptor for as long as it is known, and is opened for reading or writing
/// when it is to be read or written: two descriptors. When descriptors get scarce, the open file
/// replaces the O_PATH descriptor under its number, and serves both purposes; when the last handle
/// goes, the number is an O_PATH descriptor again. Other users of the number notice nothing, as
/// dup3(2) replaces it atomically.
///
/// Thread-safe.
class OneDescriptor {
  public:
    /// `path_fd` (O_PATH) must outlive this and every handle.
    explicit OneDescriptor(const base::Fd& path_fd) : path_fd_(path_fd) {}
    OneDescriptor(const OneDescriptor&) = delete;
    OneDescriptor& operator=(const OneDescriptor&) = delete;
    ~OneDescriptor() = default;

    /// Descriptors are scarce from this number on (the kernel gives out the lowest free number): an
    /// eighth of RLIMIT_NOFILE at the first call, so that nearly as many files can be open as the
    /// limit allows descriptors.
    static int first_scarce();

    /// Keeps `opened`, a descriptor of the same file, open until the last copy of the handle goes:
    /// under its own number, or if that is `scarce` or higher, under the O_PATH descriptor's.
    std::shared_ptr<const base::Fd> keep(base::Fd opened, int scarce = first_scarce());

    /// Opens the file with these O_ flags, and keeps it as keep() does. If no number is left
    /// (EMFILE), one held in reserve is used for a moment: dirty files can then still be flushed,
    /// and closed afterwards. The errno of open(2).
    base::Result<std::shared_ptr<const base::Fd>> reopen(int flags);

  private:
    /// Shared with the handles.
    struct Number {
        base::Mutex mutex; ///< also held while dup3(2) replaces the descriptor; a leaf
        int handles GUARDED_BY(mutex) = 0;
    };

    const base::Fd& path_fd_;
    std::shared_ptr<Number> number_ = std::make_shared<Number>();
};

} // namespace partialfs::backing
