// Which filesystem a directory is on, and where its files really lie.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mmapstress {

struct MountInfo {
    std::string type;   ///< "ext4", "fuse.partialfs"
    std::string root;   ///< the mount point
    std::string source; ///< the device; of partialfs the directory underneath
};

/// The mount that `path`, absolute and without symbolic links, is on, by the text of
/// /proc/self/mountinfo. Nothing if no line covers it.
std::optional<MountInfo> find_mount(std::string_view mountinfo, std::string_view path);

/// The same from this system's /proc. Nothing on kernels without mountinfo.
std::optional<MountInfo> mount_of(const std::string& path);

/// Whether the mount is a partialfs: by its type, or by its control directory.
bool is_partialfs(const MountInfo& mount);

/// The directory that holds, on partialfs, what is really on disk of the directory `path` of that
/// mount: from the mount's .partialfs/status, else from the mount's source. Nothing if it is not
/// there.
std::optional<std::string> disk_of_partialfs(const MountInfo& mount, const std::string& path);

} // namespace mmapstress
