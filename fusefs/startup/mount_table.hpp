// The mounts that this thread sees: /proc/thread-self/mountinfo.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <istream>
#include <optional>
#include <string>
#include <vector>

namespace partialfs::startup {

/// Which filesystem a mount shows. The kernel gives the number of one that is gone to the next,
/// maybe while its daemon still makes its last commit; so the name counts, too.
struct MountIdentity {
    std::string device; ///< "MAJOR:MINOR"
    std::string source; ///< "/dev/sda1", or what the filesystem calls it

    bool operator==(const MountIdentity&) const = default;
};

struct MountTableEntry {
    MountIdentity identity;
    std::string root;       ///< the directory of the filesystem that is mounted
    std::string mountpoint; ///< where
    std::string type;       ///< "ext4", "fuse.partialfs"
    std::string options;    ///< of the filesystem: "rw,user_id=0,allow_other"

    /// Whose FUSE mount it is; nothing if it is none.
    [[nodiscard]] std::optional<uid_t> fuse_user() const;
};

/// What `text`, in the form of proc(5)'s mountinfo, says; lines of another form are left out.
std::vector<MountTableEntry> parse_mount_table(std::istream& text);
/// In the order of mounting. Empty if /proc is not mounted.
std::vector<MountTableEntry> mount_table();
/// The mount that `path` (absolute, without symlinks) lies in, or null.
const MountTableEntry* mount_of(const std::filesystem::path& path,
                                const std::vector<MountTableEntry>& table);

} // namespace partialfs::startup
