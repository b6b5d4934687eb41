// Waiting for the last commit of a daemon whose mount goes away: umount(2) returns before it.
#pragma once

#include "fusefs/startup/mount_record.hpp"

#include <filesystem>
#include <functional>
#include <string>

namespace partialfs::startup {

/// How a last commit went.
struct LastCommit {
    int error = 0;       ///< 0: on disk, or there was nothing to wait for. Else the exit status
    std::string message; ///< one line for the user; empty if all is well
};

/// `partialfs --wait SOURCE`. Returns once no daemon has SOURCE. `say` gets a line if SOURCE is
/// still mounted then, as this waits for the umount, too.
/// Errors: of the last commit; ESRCH if the daemon died before it; of opening SOURCE.
LastCommit wait_for_last_commit(const std::filesystem::path& source,
                                const std::filesystem::path& records,
                                const std::function<void(const std::string&)>& say);

/// `partialfs --unmount MOUNTPOINT`, and what umount(8) has umount.fuse.partialfs do: umount(2), or
/// fusermount3 for another user than root, then as above for what was mounted there.
/// Errors: as above; of umount(2); EINVAL if nothing is mounted there; EPERM if fusermount3 fails,
/// which says why.
LastCommit unmount_and_wait(const std::filesystem::path& mountpoint,
                            const std::filesystem::path& records);

} // namespace partialfs::startup
