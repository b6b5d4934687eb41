// Makes new objects belong to the caller: for a while, this thread acts with the caller's fsuid,
// fsgid and umask.
//
// The backing filesystem then does the same as a local one, in one step, and the object never has
// another owner: the group of a setgid directory, default ACLs (which replace the umask), quotas
// charged to the right user. The daemon keeps its capabilities meanwhile, as the kernel has already
// checked the caller's permissions (default_permissions). With a daemon that lacks CAP_SETUID and
// CAP_SETGID, as an ordinary user runs it, new objects belong to the daemon's user.
//
// Measured: 7 us for a caller other than the daemon's user, nothing for the daemon's own; a chown
// after the creation costs about as much.
#pragma once

#include <sys/types.h>

namespace partialfs::fuse {

class CallerIdentity {
  public:
    /// Until the destructor this thread creates objects as `uid` and `gid`, with umask `mask`.
    CallerIdentity(uid_t uid, gid_t gid, mode_t mask);
    CallerIdentity(const CallerIdentity&) = delete;
    CallerIdentity& operator=(const CallerIdentity&) = delete;
    ~CallerIdentity();

    /// The mode to create with: `mode` itself, or `mode` without the umask's bits where the thread
    /// cannot have a umask of its own (a container that forbids unshare(2)).
    [[nodiscard]] mode_t masked(mode_t mode) const { return mode & ~left_to_mask_; }

  private:
    bool uid_changed_ = false;
    bool gid_changed_ = false;
    mode_t left_to_mask_ = 0;
};

/// Whether the daemon may open any file of SOURCE, whatever its mode (CAP_DAC_OVERRIDE).
bool may_open_any_file();

} // namespace partialfs::fuse
