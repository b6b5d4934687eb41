#include "fusefs/fuse/file_numbers.hpp"

namespace partialfs::fuse {

ino_t FileNumbers::number_of(BackingKey key) {
    if (key.device == own_device_ && key.number < kOurs) {
        return key.number;
    }
    if (key.device == own_device_ || key.number >= kFirstTooLarge) {
        return counted(key);
    }
    const ino_t place = place_of(key.device);
    return place == kCounted ? counted(key) : ours(place, key.number);
}

ino_t FileNumbers::place_of(dev_t device) {
    {
        const base::ReadLock lock(mutex_);
        if (const auto known = devices_.find(device); known != devices_.end()) {
            return known->second;
        }
    }
    const base::WriteLock lock(mutex_);
    const ino_t next = devices_.size() + 1;
    if (next == kCounted && !devices_.contains(device)) {
        return kCounted;
    }
    return devices_.try_emplace(device, next).first->second;
}

ino_t FileNumbers::counted(BackingKey key) {
    const base::WriteLock lock(mutex_);
    return ours(kCounted, counted_.try_emplace(key, counted_.size()).first->second);
}

} // namespace partialfs::fuse
