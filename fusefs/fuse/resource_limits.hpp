// Applies a caller's limits on disk space to writes that the daemon makes for it.
#pragma once

#include <sys/types.h>

namespace partialfs::fuse {

/// While it lives, this thread writes without CAP_SYS_RESOURCE if the caller does not have it, so
/// that root's reserved blocks (mke2fs -m) and disk quotas apply as they do for the caller.
/// Errors of the capability calls are ignored: a daemon that may not change its capabilities has
/// none.
class ResourceLimits {
  public:
    /// `caller` is the thread that makes the request; 0: one in another PID namespace.
    explicit ResourceLimits(pid_t caller);
    ResourceLimits(const ResourceLimits&) = delete;
    ResourceLimits& operator=(const ResourceLimits&) = delete;
    ~ResourceLimits();

  private:
    bool dropped_ = false;
};

} // namespace partialfs::fuse
