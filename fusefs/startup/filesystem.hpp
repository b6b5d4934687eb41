// The filesystem between SOURCE and a FUSE session: everything put together, served, and taken
// apart.
#pragma once

#include "fusefs/faults/fault_book.hpp"
#include "fusefs/faults/faulty_io.hpp"
#include "fusefs/file/buffer.hpp"
#include "fusefs/file/context.hpp"
#include "fusefs/file/ledger_book.hpp"
#include "fusefs/fuse/control_directory.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/inode_reclaimer.hpp"
#include "fusefs/fuse/inode_table.hpp"
#include "fusefs/fuse/mount.hpp"
#include "fusefs/fuse/power_cut.hpp"
#include "fusefs/fuse/session.hpp"
#include "fusefs/journal/journal.hpp"
#include "fusefs/power/disk_cache.hpp"
#include "fusefs/power/power.hpp"
#include "fusefs/startup/options.hpp"
#include "fusefs/trace/recorder.hpp"

#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace partialfs::startup {

/// Use: construct, mount() or connect(), then serve() once. From the only thread of the process.
///
/// The order of the members is the order of the teardown, read from below: a member stands above
/// all that refer to it, and so is destroyed after them. The session comes down first: after that
/// no request uses the rest.
class Filesystem {
  public:
    /// Opens options.source. Throws StartFailure.
    /// `faults` has the rules that are in force; it must outlive the filesystem.
    Filesystem(const Options& options, fuse::Probe probe, faults::FaultBook& faults);
    Filesystem(const Filesystem&) = delete;
    Filesystem& operator=(const Filesystem&) = delete;
    ~Filesystem() = default;

    /// Mounts it at options.mountpoint, with options.trace written from then on. On failure a
    /// message for the user, in one line.
    std::expected<void, std::string> mount();
    /// Instead of mount(): Session::connect(). options.mountpoint need not be a mount, nor exist:
    /// then no page can be evicted.
    std::expected<void, std::string> connect(const fuse_custom_io& io, base::Fd connection);

    /// Serves until it is unmounted from outside, the connection is closed, or SIGTERM, SIGINT or
    /// SIGHUP arrives. Returns after the last commit, with every thread joined and nothing mounted.
    /// `ready` is called once, as soon as requests are served; false: end as if by SIGTERM.
    /// 0, or the errno of the last commit. Throws what starting a thread throws.
    int serve(const std::function<bool()>& ready);

  private:
    std::expected<void, std::string> start_trace();
    /// For what needs the FUSE session, which has its connection now.
    void begin_session();
    /// A commit while requests are still served, as pages are fetched from the kernel for it.
    [[nodiscard]] int commit_before_end();
    void stop_trace();
    /// A rule of faults has struck: it becomes an event of the trace.
    void note_fault(const faults::Firing& firing);
    /// The path relative to SOURCE of an inode that has a name there; else empty.
    [[nodiscard]] std::string path_of(model::InodeId id) const;

    std::string source_;     ///< absolute
    std::string mountpoint_; ///< absolute
    faults::FaultBook& faults_;
    faults::FaultyIo io_;
    trace::Recorder trace_;
    file::LedgerBook ledger_;
    file::BufferBudget budget_;
    file::MemoryPool small_memory_{0};
    std::unique_ptr<power::DiskCache> disk_cache_; ///< with --power, as all that is for that
    std::unique_ptr<power::Power> power_;
    file::Context context_;
    fuse::InodeTable inodes_;
    file::MemoryPool memory_; ///< of requests; the buffers and retrieved pages are made of it
    fuse::FusePageCache page_cache_;
    journal::Journal journal_;
    fuse::InodeReclaimer reclaimer_;
    fuse::ControlDirectory control_;
    fuse::Mount mount_;
    std::unique_ptr<fuse::PowerCut> power_cut_;
    fuse::Session session_;
};

/// The path that programs find `path` by, or `path` itself if there is nothing.
std::string absolute_path(const std::filesystem::path& path);

/// How stored pages are found here, if that is `choice`. Throws StartFailure.
fuse::Probe choose_probe(ProbeChoice choice);

} // namespace partialfs::startup
