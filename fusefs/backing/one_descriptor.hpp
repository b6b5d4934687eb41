// Makes do with one descriptor for a file where two would be one too many.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"
#include "fusefs/base/mutex.hpp"

#include <memory>

namespace partialfs::backing {

/// A file has an O_PATH descriptor for as long as it is known, and is opened for reading or writing
/// when it is to be read or written: two descriptors. Where they get short, the open file takes the
/// number of the O_PATH descriptor instead, which can do all that the other could; when the last
/// handle goes, the number is an O_PATH descriptor again. Who uses the number meanwhile notices
/// nothing, as dup3(2) replaces it at once.
///
/// Thread-safe.
class OneDescriptor {
  public:
    /// `path_fd` (O_PATH) must outlive this and every handle.
    explicit OneDescriptor(const base::Fd& path_fd) : path_fd_(path_fd) {}
    OneDescriptor(const OneDescriptor&) = delete;
    OneDescriptor& operator=(const OneDescriptor&) = delete;
    ~OneDescriptor() = default;

    /// Descriptors are short from this number on: an eighth of what RLIMIT_NOFILE allowed at the
    /// first call, so that nearly as many files can be open as there may be descriptors. The kernel
    /// gives out the lowest number that is free.
    static int first_scarce();

    /// Keeps `opened`, which is the same file, open until the last copy of the handle goes: under
    /// its own number, or if that is `scarce` or higher, under that of the O_PATH descriptor.
    std::shared_ptr<const base::Fd> keep(base::Fd opened, int scarce = first_scarce());

    /// Opens the file with these O_ flags, and keeps it as keep() does. Where no number is left,
    /// one that is held back for this is used for a moment: what is to be flushed can be flushed,
    /// and the files that wait for it let go. The errno of open(2).
    base::Result<std::shared_ptr<const base::Fd>> reopen(int flags);

  private:
    /// Shared with the handles.
    struct Number {
        base::Mutex mutex; ///< guards what the number stands for, too; a leaf
        int handles GUARDED_BY(mutex) = 0;
    };

    const base::Fd& path_fd_;
    std::shared_ptr<Number> number_ = std::make_shared<Number>();
};

} // namespace partialfs::backing
