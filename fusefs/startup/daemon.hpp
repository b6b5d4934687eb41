// The mount as a whole: claims SOURCE, mounts and serves the filesystem, and releases both.
#pragma once

#include "fusefs/faults/fault_book.hpp"
#include "fusefs/startup/filesystem.hpp"
#include "fusefs/startup/options.hpp"
#include "fusefs/startup/source_claim.hpp"
#include "fusefs/startup/umount_hint.hpp"

#include <functional>

namespace partialfs::startup {

/// Use: construct, then serve() once. Both from the only thread of the process.
/// Members are destroyed in reverse order, which is the order of the teardown.
class Daemon {
  public:
    /// Claims options.source and mounts it at options.mountpoint. Throws StartFailure.
    /// `faults` has the rules in force; it must outlive the daemon.
    Daemon(const Options& options, faults::FaultBook& faults);
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    ~Daemon() = default;

    /// Serves the mount until it is unmounted from outside or SIGTERM, SIGINT or SIGHUP arrives.
    /// After a signal no write(2) is accepted any more (ESHUTDOWN), so that the last commit writes
    /// at most --dirty-limit and the kernel's dirty pages, however many programs continue to write.
    /// Returns after that commit, with every thread joined and nothing mounted.
    ///
    /// `ready` is called once, as soon as the mount is usable. If it returns false the user has
    /// given up: the daemon ends as if by SIGTERM.
    ///
    /// Returns 0, or the errno of the last commit: unsynced data is then missing in SOURCE. Throws
    /// what starting a thread throws, after unmounting.
    int serve(const std::function<bool()>& ready);

  private:
    SourceClaim claim_;
    UmountHint umount_hint_;
    Filesystem filesystem_;
};

} // namespace partialfs::startup
