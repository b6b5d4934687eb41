// Which filesystem a directory is on, and where its files really lie.
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
    std::string source;                    ///< the device; of partialfs the directory underneath
    std::vector<std::string> options = {}; ///< of the filesystem, as "data=journal"

    /// Whether the filesystem has this option.
    [[nodiscard]] bool has(std::string_view option) const;
};

/// The mount that `path`, absolute and without symbolic links, is on, by the text of
/// /proc/self/mountinfo. Nothing if no line covers it.
std::optional<MountInfo> find_mount(std::string_view mountinfo, std::string_view path);

/// The same from this system's /proc. Nothing on kernels without mountinfo.
std::optional<MountInfo> mount_of(const std::string& path);

/// Whether the mount's files are on a block device of this machine: what has left the page cache is
/// on disk then.
bool is_on_block_device(const MountInfo& mount);

/// Whether the mount is a partialfs: by its type, or by its control directory.
bool is_partialfs(const MountInfo& mount);

/// Whether the mount is an ext4 whose journal has the data, too.
bool journals_data(const MountInfo& mount);

/// A huge page: no folio of the page cache is larger.
inline constexpr partialfs::model::ByteCount kLargestFolio{2U << 20U};

/// The most bytes that the page cache of this filesystem's files keeps, drops and writes back
/// together. Measured on Linux 6.18 by /proc/kpageflags: pages on FUSE, btrfs, tmpfs and ext4 with
/// data=journal; kLargestFolio on ext2, ext4 and XFS, and on overlayfs above them. Of other
/// filesystems nothing is known: kLargestFolio.
partialfs::model::ByteCount largest_folio(const MountInfo& mount);

/// What decides on a filesystem which bytes a commit writes.
struct FlushRules {
    std::optional<std::uint32_t> block_size; ///< bytes, if it is one that schedules know
    std::string contract;                    ///< of partialfs
    std::string policy;                      ///< of partialfs
};

/// Of the filesystem that the directory `path`, on `mount`, is on: from .partialfs/status, else by
/// statvfs().
FlushRules flush_rules_of(const MountInfo& mount, const std::string& path);

/// The directory that holds, on partialfs, what is really on disk of the directory `path` of that
/// mount: from the mount's .partialfs/status, else from the mount's source. Nothing if it is not
/// there.
std::optional<std::string> disk_of_partialfs(const MountInfo& mount, const std::string& path);

} // namespace mmapstress
