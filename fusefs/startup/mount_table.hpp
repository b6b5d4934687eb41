// The mounts that this thread sees: /proc/thread-self/mountinfo.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <istream>
#include <optional>
#include <string>
#include <vector>

namespace partialfs::startup {

/// Identifies the filesystem of a mount. The kernel reuses the device number of one that is gone,
/// maybe while its daemon still makes its last commit, so the name is compared as well.
struct MountIdentity {
    std::string device; ///< "MAJOR:MINOR"
    std::string source; ///< "/dev/sda1", or another name that the filesystem has chosen

    bool operator==(const MountIdentity&) const = default;
};

struct MountTableEntry {
    MountIdentity identity;
    std::string root;       ///< the directory of the filesystem that is mounted
    std::string mountpoint; ///< where
    std::string type;       ///< "ext4", "fuse.partialfs"
    std::string options;    ///< of the filesystem: "rw,user_id=0,allow_other"

    /// The user whose FUSE mount it is; no value if it is no FUSE mount.
    [[nodiscard]] std::optional<uid_t> fuse_user() const;
};

/// Parses `text` in the format of proc(5)'s mountinfo; lines in another format are left out.
std::vector<MountTableEntry> parse_mount_table(std::istream& text);
/// All mounts, in the order of mounting. Empty if /proc is not mounted.
std::vector<MountTableEntry> mount_table();
/// The mount that `path` (absolute, without symlinks) lies in, or null.
const MountTableEntry* mount_of(const std::filesystem::path& path,
                                const std::vector<MountTableEntry>& table);

} // namespace partialfs::startup
