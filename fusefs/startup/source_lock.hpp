// Kernel locks that reserve SOURCE, with all directories inside and above it, for one daemon.
#pragma once

#include "fusefs/base/errno.hpp"
#include "fusefs/base/fd.hpp"
#include "fusefs/startup/directory_id.hpp"

#include <sys/types.h>

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace partialfs::startup {

/// A directory that another process has locked.
struct LockConflict {
    std::string path;
    DirectoryId id;
};

/// flock(2): exclusive on SOURCE, shared on every directory above it. So a daemon on a directory
/// above cannot get its exclusive lock because of this one's shared lock, and a daemon on a
/// directory inside cannot get a shared lock on SOURCE; two daemons side by side can share. The
/// locks belong to the directories, not to their names, and apply in other mount namespaces and
/// containers. They end with the process, however it ends, and survive its forks.
///
/// A directory above that this user may not read cannot be locked: a daemon on that directory does
/// not notice this one by its lock, but may by its record (mount_record.hpp).
class SourceLock {
  public:
    /// Does not wait. `source` is an absolute path.
    static std::expected<SourceLock, LockConflict> take(const std::string& source,
                                                        std::span<const Ancestor> above);
    /// The errno why SOURCE itself cannot be locked, as on NFS, which does not lock directories; no
    /// value if it is locked.
    [[nodiscard]] const std::optional<base::Errno>& problem() const { return problem_; }

  private:
    SourceLock() = default;

    std::vector<base::Fd> held_;
    std::optional<base::Errno> problem_;
};

/// The process that has locked the directory by flock(2), as far as /proc/locks shows it.
std::optional<pid_t> holder_of_lock(const DirectoryId& id);

} // namespace partialfs::startup
