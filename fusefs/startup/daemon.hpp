// The mount as a whole: SOURCE claimed, the filesystem mounted and served, and both let go again.
#pragma once

#include "fusefs/faults/fault_book.hpp"
#include "fusefs/startup/filesystem.hpp"
#include "fusefs/startup/options.hpp"
#include "fusefs/startup/source_claim.hpp"
#include "fusefs/startup/umount_hint.hpp"

#include <functional>

namespace partialfs::startup {

/// Use: construct, then serve() once. From the only thread of the process.
/// The order of the members is the order of the teardown, read from below.
class Daemon {
  public:
    /// Claims options.source and mounts it at options.mountpoint. Throws StartFailure.
    /// `faults` has the rules that are in force; it must outlive the daemon.
    Daemon(const Options& options, faults::FaultBook& faults);
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    ~Daemon() = default;

    /// Serves the mount until it is unmounted from outside or SIGTERM, SIGINT or SIGHUP arrives.
    /// After a signal no write(2) is accepted any more (ESHUTDOWN), so that what the last commit
    /// has to write is bounded by --dirty-limit and the kernel's dirty pages, however many programs
    /// go on writing. Returns after that commit, with every thread joined and nothing mounted.
    ///
    /// `ready` is called once, as soon as the mount is usable. If it answers false the user has
    /// gone: the daemon ends as if by SIGTERM.
    ///
    /// 0, or the errno of the last commit: data that had not been synced is missing in SOURCE then.
    /// Throws what starting a thread throws; the mount has been taken away by then.
    int serve(const std::function<bool()>& ready);

  private:
    SourceClaim claim_;
    UmountHint umount_hint_;
    Filesystem filesystem_;
};

} // namespace partialfs::startup
