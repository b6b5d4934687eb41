// The kernel's count of the sectors written to a block device.
#pragma once

#include "fusefs/base/fd.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mmapstress {

/// The sectors written, from the text of /sys/dev/block/MAJOR:MINOR/stat; nothing if it is not such
/// a text.
std::optional<std::uint64_t> sectors_of_stat(std::string_view text);
/// The same from a device's line in /proc/diskstats; nothing if it has no line there.
std::optional<std::uint64_t> sectors_of_diskstats(std::string_view text, dev_t device);

/// Thread-safe.
class DeviceSectors {
  public:
    explicit DeviceSectors(dev_t device);

    /// 512-byte sectors written since the device exists. A request is counted before the process
    /// that waits for it is woken. From /sys/dev/block, before Linux 2.6.27 from /proc/diskstats.
    /// Nothing if it is not a block device: files of FUSE, tmpfs, overlayfs and btrfs are on none.
    [[nodiscard]] std::optional<std::uint64_t> written() const;

  private:
    dev_t device_;
    partialfs::base::Fd stat_; ///< not open: there is no such file
};

} // namespace mmapstress
