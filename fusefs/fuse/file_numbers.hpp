// The numbers that programs see: st_ino and d_ino.
#pragma once

#include "fusefs/base/mutex.hpp"

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <map>

namespace partialfs::fuse {

/// Identifies an object of the backing filesystem while it is held open.
struct BackingKey {
    dev_t device = 0;
    ino_t number = 0;

    constexpr auto operator<=>(const BackingKey&) const = default;
};

/// Gives each object of SOURCE a unique number, which stays the same as long as the mount lasts. To
/// programs the whole mount is one device, while other filesystems may be mounted inside SOURCE,
/// and each subvolume of btrfs is a device of its own.
///
/// Objects on SOURCE's own device keep their numbers. Numbers from 2^62 to 2^63 are made here:
/// 14 bits stand for a device, in the order in which devices are met, and 48 bits are the number
/// there. Device 0 is the control directory's. The last one is for objects that do not fit (the
/// number is too large, there are too many devices, or a number of SOURCE's own lies in this
/// range); these are numbered in sequence, and remembered until the end.
///
/// Thread-safe.
class FileNumbers {
  public:
    /// `device` is SOURCE's own.
    explicit FileNumbers(dev_t device) : own_device_(device) {}

    /// The number of this object that programs see.
    [[nodiscard]] ino_t number_of(BackingKey key);
    /// The same for the control directory's object number `index`.
    static constexpr ino_t control(std::uint64_t index) { return kOurs | index; }

  private:
    static constexpr ino_t kOurs = ino_t{1} << 62U;
    static constexpr unsigned kDeviceShift = 48;
    static constexpr ino_t kFirstTooLarge = ino_t{1} << kDeviceShift;
    static constexpr ino_t kCounted = (ino_t{1} << (62U - kDeviceShift)) - 1;

    static constexpr ino_t ours(ino_t device, ino_t number) {
        return kOurs | device << kDeviceShift | number;
    }
    /// The place of a device; kCounted if there are too many.
    ino_t place_of(dev_t device);
    ino_t counted(BackingKey key);

    const dev_t own_device_;
    mutable base::SharedMutex mutex_; ///< a leaf
    std::map<dev_t, ino_t> devices_ GUARDED_BY(mutex_);
    std::map<BackingKey, ino_t> counted_ GUARDED_BY(mutex_);
};

} // namespace partialfs::fuse
