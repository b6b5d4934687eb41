// The numbers that programs see: st_ino and d_ino.
#pragma once

#include "fusefs/base/mutex.hpp"

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <map>

namespace partialfs::fuse {

/// Names an object of the backing filesystem while somebody holds it open.
struct BackingKey {
    dev_t device = 0;
    ino_t number = 0;

    constexpr auto operator<=>(const BackingKey&) const = default;
};

/// Gives each object of SOURCE a number that no other has, and the same again as long as the mount
/// lasts. All of the mount is one device to programs, while in SOURCE other filesystems may be
/// mounted, and each subvolume of btrfs is a device of its own.
///
/// What lies on SOURCE's own device keeps its number. Numbers from 2^62 to 2^63 are ours:
/// 14 bits that stand for a device, in the order in which they were met, and 48 for the number
/// there. Device 0 is the control directory's. The last stands for whatever has no place in that
/// (the number is too large, the devices are too many, or SOURCE's own number lies in our range);
/// such objects are counted, and remembered until the end.
///
/// Thread-safe.
class FileNumbers {
  public:
    /// `device` is SOURCE's own.
    explicit FileNumbers(dev_t device) : own_device_(device) {}

    /// The number that programs see of this object.
    [[nodiscard]] ino_t number_of(BackingKey key);
    /// The same of the control directory's object number `index`.
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
