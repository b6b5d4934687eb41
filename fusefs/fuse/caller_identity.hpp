// Makes new objects belong to the caller: for one call, this thread acts with the caller's fsuid,
// fsgid and umask.
//
// The backing filesystem then does what a local one does, in one step and with no moment in which
// the object has another owner: the group of a setgid directory, default ACLs (which take the
// place of the umask), quotas charged to the right user. The daemon keeps its capabilities
// meanwhile, as the kernel has already checked the caller's permissions (default_permissions).
// A daemon without CAP_SETUID and CAP_SETGID, mounted by an ordinary user, makes objects of its
// own.
//
// Measured: 7 us for a caller other than the daemon's user, nothing for the daemon's own; a chown
// after the creation costs about as much.
#pragma once

#include <sys/types.h>

namespace partialfs::fuse {

class CallerIdentity {
  public:
    /// From now on to the destructor this thread creates as `uid`, `gid`, with `mask`.
    CallerIdentity(uid_t uid, gid_t gid, mode_t mask);
    CallerIdentity(const CallerIdentity&) = delete;
    CallerIdentity& operator=(const CallerIdentity&) = delete;
    ~CallerIdentity();

    /// The mode to create with: `mode` itself, or without the umask's bits where the thread cannot
    /// have a umask of its own (a container that forbids unshare(2)).
    [[nodiscard]] mode_t masked(mode_t mode) const { return mode & ~left_to_mask_; }

  private:
    bool uid_changed_ = false;
    bool gid_changed_ = false;
    mode_t left_to_mask_ = 0;
};

/// Whether the daemon may open any file of SOURCE, whatever its mode (CAP_DAC_OVERRIDE).
bool may_open_any_file();

} // namespace partialfs::fuse
