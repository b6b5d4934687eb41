// The mount as a whole: everything put together, served, and taken apart again.
#pragma once

#include "fusefs/backing/file_io.hpp"
#include "fusefs/file/buffer.hpp"
#include "fusefs/file/context.hpp"
#include "fusefs/file/ledger_book.hpp"
#include "fusefs/fuse/control_directory.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/inode_reclaimer.hpp"
#include "fusefs/fuse/inode_table.hpp"
#include "fusefs/fuse/mount.hpp"
#include "fusefs/fuse/session.hpp"
#include "fusefs/journal/journal.hpp"
#include "fusefs/startup/options.hpp"
#include "fusefs/startup/source_claim.hpp"
#include "fusefs/startup/umount_hint.hpp"
#include "fusefs/trace/recorder.hpp"

#include <functional>
#include <string>

namespace partialfs::startup {

/// Use: construct, then serve() once. From the only thread of the process.
///
/// The order of the members is the order of the teardown, read from below: a member stands above
/// all that refer to it, and so is destroyed after them. The session comes down first: after that
/// no request uses the rest.
class Daemon {
  public:
    /// Claims options.source and mounts it at options.mountpoint. Throws StartFailure.
    /// `io` is how SOURCE's files are read and written; it must outlive the daemon.
    Daemon(const Options& options, backing::FileIo& io);
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
    void start_trace(const Options& options);
    /// A commit while requests are still served, as pages are fetched from the kernel for it.
    [[nodiscard]] int commit_before_end();
    /// The path relative to SOURCE of an inode that has a name there; else empty.
    [[nodiscard]] std::string path_of(model::InodeId id) const;

    std::string source_;     ///< absolute
    std::string mountpoint_; ///< absolute
    SourceClaim claim_;
    UmountHint umount_hint_;
    fuse::Probe probe_;
    trace::Recorder trace_;
    file::LedgerBook ledger_;
    file::BufferBudget budget_;
    file::MemoryPool small_memory_{0};
    file::Context context_;
    fuse::InodeTable inodes_;
    file::MemoryPool memory_; ///< of requests; the buffers and retrieved pages are made of it
    fuse::FusePageCache page_cache_;
    journal::Journal journal_;
    fuse::InodeReclaimer reclaimer_;
    fuse::ControlDirectory control_;
    fuse::Mount mount_;
    fuse::Session session_;
};

} // namespace partialfs::startup
