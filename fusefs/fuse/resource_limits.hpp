// The space of a filesystem as a caller may use it.
#pragma once

#include <sys/types.h>

namespace partialfs::fuse {

/// While it lives, this thread writes without CAP_SYS_RESOURCE if the caller has not got it: root's
/// reserve (mke2fs -m) and disk quotas then bind as they bind the caller.
/// Errors of the capability calls are ignored: a daemon that may not change its capabilities has
/// none.
class ResourceLimits {
  public:
    /// `caller` is the thread that makes the request; 0: one that cannot be seen from here.
    explicit ResourceLimits(pid_t caller);
    ResourceLimits(const ResourceLimits&) = delete;
    ResourceLimits& operator=(const ResourceLimits&) = delete;
    ~ResourceLimits();

  private:
    bool dropped_ = false;
};

} // namespace partialfs::fuse
