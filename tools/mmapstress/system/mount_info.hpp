// Which filesystem a directory is on, and where its files really are.
#pragma once

#include "fusefs/model/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mmapstress {

struct MountInfo {
    std::string type;                      ///< "ext4", "fuse.partialfs"
    std::string root;                      ///< the mount point
    std::string source;                    ///< the device; of partialfs the directory behind it
    std::vector<std::string> options = {}; ///< of the filesystem, as "data=journal"

    /// Whether the filesystem has this option.
    [[nodiscard]] bool has(std::string_view option) const;
};

/// The mount of `path`, which is absolute and without symbolic links, from the text of
/// /proc/self/mountinfo. Nothing if no line covers it.
std::optional<MountInfo> find_mount(std::string_view mountinfo, std::string_view path);

/// The same from this system's /proc. Nothing on kernels without mountinfo.
std::optional<MountInfo> mount_of(const std::string& path);

/// Whether the mount's files are on a block device of this machine: if so, bytes that have left the
/// page cache are on disk.
bool is_on_block_device(const MountInfo& mount);

/// Whether the mount is a partialfs: by its type, or by its control directory.
bool is_partialfs(const MountInfo& mount);

/// Whether the mount is an ext4 with data=journal: its journal has the data, too.
bool journals_data(const MountInfo& mount);

/// The size of a huge page: no folio of the page cache is larger.
inline constexpr partialfs::model::ByteCount kLargestFolio{2U << 20U};

/// The most bytes that the page cache of this filesystem's files keeps, drops and writes back
/// together. Measured on Linux 6.18 by /proc/kpageflags: pages on FUSE, btrfs, tmpfs and ext4 with
/// data=journal; kLargestFolio on ext2, ext4 and XFS, and on overlayfs above them. Of other
/// filesystems nothing is known: kLargestFolio.
partialfs::model::ByteCount largest_folio(const MountInfo& mount);

/// What determines which bytes a commit of a filesystem writes.
struct FlushRules {
    std::optional<std::uint32_t> block_size; ///< bytes, if it is one that schedules know
    std::string contract;                    ///< of partialfs
    std::string policy;                      ///< of partialfs
};

/// Those of the filesystem of the directory `path`, on `mount`: from .partialfs/status, else from
/// statvfs().
FlushRules flush_rules_of(const MountInfo& mount, const std::string& path);

/// The backing directory of `path`, a directory on the partialfs `mount`: from .partialfs/status,
/// else from the mount's source. Nothing if it does not exist.
std::optional<std::string> disk_of_partialfs(const MountInfo& mount, const std::string& path);

} // namespace mmapstress
