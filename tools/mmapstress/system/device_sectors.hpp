// What the kernel counts of a block device: the sectors written to it.
#pragma once

#include "fusefs/base/fd.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mmapstress {

/// The sectors written, of the text of /sys/dev/block/MAJOR:MINOR/stat; nothing if it is not such a
/// text.
std::optional<std::uint64_t> sectors_of_stat(std::string_view text);
/// The same of a device's line in /proc/diskstats; nothing if it has none there.
std::optional<std::uint64_t> sectors_of_diskstats(std::string_view text, dev_t device);

/// Thread-safe.
class DeviceSectors {
  public:
    explicit DeviceSectors(dev_t device);

    /// 512-byte sectors written since the device is there. A request counts before whoever waits
    /// for it is woken. From /sys/dev/block, before Linux 2.6.27 from /proc/diskstats. Nothing of
    /// what is no block device: FUSE, tmpfs, overlayfs and btrfs have none behind their files.
    [[nodiscard]] std::optional<std::uint64_t> written() const;

  private:
    dev_t device_;
    partialfs::base::Fd stat_; ///< closed: there is no such file
};

} // namespace mmapstress
