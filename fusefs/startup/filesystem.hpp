// The filesystem between SOURCE and a FUSE session: makes all its objects, serves requests, and
// shuts down.
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

/// Use: construct, mount() or connect(), then serve() once. All from the only thread of the
/// process.
///
/// Members are declared before those that refer to them, and so are destroyed after them. The
/// session is destroyed first: after that no request uses the others.
class Filesystem {
  public:
    /// Opens options.source. Throws StartFailure.
    /// `faults` has the rules in force; it must outlive the filesystem.
    Filesystem(const Options& options, fuse::Probe probe, faults::FaultBook& faults);
    Filesystem(const Filesystem&) = delete;
    Filesystem& operator=(const Filesystem&) = delete;
    ~Filesystem() = default;

    /// Mounts it at options.mountpoint, and starts to write options.trace. On failure a message for
    /// the user, in one line.
    std::expected<void, std::string> mount();
    /// Instead of mount(): see Session::connect(). options.mountpoint need not be a mount or exist;
    /// no page can then be evicted.
    std::expected<void, std::string> connect(const fuse_custom_io& io, base::Fd connection);

    /// Serves until it is unmounted from outside, the connection is closed, or SIGTERM, SIGINT or
    /// SIGHUP arrives. Returns after the last commit, with every thread joined and nothing mounted.
    /// `ready` is called once, as soon as requests are served; if it returns false, this ends as if
    /// by SIGTERM. Returns 0, or the errno of the last commit. Throws what starting a thread
    /// throws.
    int serve(const std::function<bool()>& ready);

  private:
    std::expected<void, std::string> start_trace();
    /// Starts the parts that need the FUSE session, when it has its connection.
    void begin_session();
    /// A commit while requests are still served, as it fetches pages from the kernel.
    [[nodiscard]] int commit_before_end();
    void stop_trace();
    /// A rule of faults has fired: records an event in the trace.
    void note_fault(const faults::Firing& firing);
    /// The path of an inode relative to SOURCE; empty if it has no name there.
    [[nodiscard]] std::string path_of(model::InodeId id) const;

    std::string source_;     ///< absolute
    std::string mountpoint_; ///< absolute
    faults::FaultBook& faults_;
    faults::FaultyIo io_;
    trace::Recorder trace_;
    file::LedgerBook ledger_;
    file::BufferBudget budget_;
    file::MemoryPool small_memory_{0};
    std::unique_ptr<power::DiskCache> disk_cache_; ///< null without --power, as are the others
    std::unique_ptr<power::Power> power_;
    file::Context context_;
    fuse::InodeTable inodes_;
    file::MemoryPool memory_; ///< of requests; buffers and retrieved pages take it over
    fuse::FusePageCache page_cache_;
    journal::Journal journal_;
    fuse::InodeReclaimer reclaimer_;
    fuse::ControlDirectory control_;
    fuse::Mount mount_;
    std::unique_ptr<fuse::PowerCut> power_cut_;
    fuse::Session session_;
};

/// `path` as an absolute path without symlinks, or `path` itself if it does not exist.
std::string absolute_path(const std::filesystem::path& path);

/// How mapped stores are found on this machine, with this choice. Throws StartFailure.
fuse::Probe choose_probe(ProbeChoice choice);

} // namespace partialfs::startup
