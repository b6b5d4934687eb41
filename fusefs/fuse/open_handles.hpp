// The open files and directories: the objects that fi->fh of a request stands for.
#pragma once

#include "fusefs/base/mutex.hpp"

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>

namespace partialfs::fuse {

/// An open file or directory. Closed by its destructor.
class OpenHandle {
  public:
    OpenHandle() = default;
    OpenHandle(const OpenHandle&) = delete;
    OpenHandle& operator=(const OpenHandle&) = delete;
    virtual ~OpenHandle() = default;

    /// Requests for it fail with EIO.
    [[nodiscard]] virtual bool is_dead() const { return false; }
};

/// Owns the handles of open files and directories. The RELEASE of a file description takes out its
/// handle. If the mount ends while it is open, no RELEASE comes, and the table destroys the handle.
///
/// Thread-safe; the handles have to be so themselves.
class OpenHandles {
  public:
    /// Keeps `handle` and returns the number that stands for it. Never 0.
    std::uint64_t add(std::shared_ptr<OpenHandle> handle) {
        const auto number = reinterpret_cast<std::uint64_t>(handle.get());
        const base::Lock lock(mutex_);
        handles_.emplace(number, std::move(handle));
        return number;
    }
    /// The handle that add() gave this number, kept alive beyond its RELEASE; null if there is none
    /// or it is of another type.
    template <typename Handle>
    [[nodiscard]] std::shared_ptr<Handle> find(std::uint64_t number) const {
        const base::Lock lock(mutex_);
        const auto handle = handles_.find(number);
        return handle == handles_.end() ? nullptr
                                        : std::dynamic_pointer_cast<Handle>(handle->second);
    }
    /// Takes a handle out: it is destroyed with the last copy of the returned pointer.
    std::shared_ptr<OpenHandle> take(std::uint64_t number) {
        const base::Lock lock(mutex_);
        const auto node = handles_.extract(number);
        return node.empty() ? nullptr : node.mapped();
    }

  private:
    mutable base::Mutex mutex_; ///< a leaf
    std::unordered_map<std::uint64_t, std::shared_ptr<OpenHandle>> handles_ GUARDED_BY(mutex_);
};

} // namespace partialfs::fuse
