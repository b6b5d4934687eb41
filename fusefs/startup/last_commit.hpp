// Waits for the last commit of a daemon whose mount is removed: umount(2) returns before it.
#pragma once

#include "fusefs/startup/mount_record.hpp"

#include <filesystem>
#include <functional>
#include <string>

namespace partialfs::startup {

/// The outcome of a last commit.
struct LastCommit {
    int error = 0;       ///< 0: on disk, or there was no daemon. Otherwise the exit status
    std::string message; ///< one line for the user; empty on success
};

/// `partialfs --wait SOURCE`. Returns when no daemon has SOURCE. If SOURCE is still mounted, it
/// waits for the umount, too, and tells `say` so.
/// Errors: of the last commit; ESRCH if the daemon died before it; of opening SOURCE.
LastCommit wait_for_last_commit(const std::filesystem::path& source,
                                const std::filesystem::path& records,
                                const std::function<void(const std::string&)>& say);

/// `partialfs --unmount MOUNTPOINT`, also run by umount(8) as umount.fuse.partialfs: umount(2), or
/// fusermount3 for a user other than root, then as above for the SOURCE that was mounted there.
/// Errors: as above; of umount(2); EINVAL if nothing is mounted there; EPERM if fusermount3 fails,
/// which prints the reason.
LastCommit unmount_and_wait(const std::filesystem::path& mountpoint,
                            const std::filesystem::path& records);

} // namespace partialfs::startup
