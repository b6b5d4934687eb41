// What the kernel has open: the objects that fi->fh of a request stands for.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace partialfs::fuse {

/// Owns the handles of open files and directories. A handle is taken out by the RELEASE of its file
/// description; one whose RELEASE never comes, as the mount was ended while it was open, goes with
/// the table.
///
/// Thread-safe; the handles themselves are not its business.
class OpenHandles {
  public:
    /// Keeps `handle` and returns the number that stands for it: its address.
    template <typename Handle>
    std::uint64_t add(std::unique_ptr<Handle> handle) {
        const auto number = reinterpret_cast<std::uint64_t>(handle.get());
        const std::scoped_lock lock(mutex_);
        handles_.emplace(number, std::move(handle));
        return number;
    }
    /// The handle that add() gave this number, which must be of this type.
    template <typename Handle>
    static Handle& get(std::uint64_t number) {
        return *reinterpret_cast<Handle*>(number);
    }
    /// The same, kept alive beyond its RELEASE, which can be on its way as soon as a reply has
    /// reached the kernel: for who still needs the handle then.
    template <typename Handle>
    std::shared_ptr<Handle> share(std::uint64_t number) {
        const std::scoped_lock lock(mutex_);
        return std::static_pointer_cast<Handle>(handles_.at(number));
    }
    /// Takes a handle out: it ends with the last that the caller keeps of what is returned.
    std::shared_ptr<void> take(std::uint64_t number) {
        const std::scoped_lock lock(mutex_);
        const auto node = handles_.extract(number);
        return node.empty() ? nullptr : node.mapped();
    }

  private:
    std::mutex mutex_; ///< guards what follows; a leaf
    std::unordered_map<std::uint64_t, std::shared_ptr<void>> handles_;
};

} // namespace partialfs::fuse
