#include "fusefs/startup/daemon.hpp"

#include "fusefs/backing/object.hpp"
#include "fusefs/base/exceptions.hpp"
#include "fusefs/fuse/bdi_settings.hpp"
#include "fusefs/fuse/caller_identity.hpp"
#include "fusefs/fuse/control_directory.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/inode_reclaimer.hpp"
#include "fusefs/fuse/inode_table.hpp"
#include "fusefs/fuse/mount.hpp"
#include "fusefs/fuse/operations.hpp"
#include "fusefs/fuse/session.hpp"
#include "fusefs/journal/journal.hpp"
#include "fusefs/journal/ledger_book.hpp"
#include "fusefs/trace/recorder.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <future>
#include <utility>

namespace partialfs::startup {
namespace {

/// Blocks of request memory, a megabyte each, that wait to be used again.
constexpr std::size_t kRequestMemoryKept = 6;

using base::Fd;
using base::Result;

std::string absolute_path(const std::filesystem::path& path) {
    std::error_code error;
    const std::filesystem::path canonical = std::filesystem::canonical(path, error);
    return error ? path.string() : canonical.string();
}

/// The path of what `fd` refers to, relative to `source`; empty if it has no name there.
std::string relative_path(const Fd& fd, const std::string& source) {
    const auto target = std::filesystem::path(backing::ProcPath(fd).c_str());
    std::error_code error;
    const std::string path = std::filesystem::read_symlink(target, error).string();
    constexpr std::string_view kDeleted = " (deleted)";
    const std::string prefix = source == "/" ? source : source + '/';
    if (error || !path.starts_with(prefix) || path.ends_with(kDeleted)) {
        return {};
    }
    return path.substr(prefix.size());
}

/// Linux 6.5 has cachestat(2); a seccomp filter may still forbid it. The file must be one's own:
/// newer kernels refuse to tell of a file that the caller neither owns nor may write.
fuse::Probe best_probe(const Fd& own_file) {
    return fuse::cache_status(own_file, {model::ByteOffset{0}, model::ByteOffset{1}}).has_value()
               ? fuse::Probe::cachestat
               : fuse::Probe::compare;
}

std::expected<fuse::Probe, std::string> choose_probe(ProbeChoice choice) {
    const Fd file(::memfd_create("partialfs-probe", MFD_CLOEXEC));
    const fuse::Probe best = best_probe(file);
    switch (choice) {
    case ProbeChoice::compare:
        return fuse::Probe::compare;
    case ProbeChoice::cachestat:
        if (best != fuse::Probe::cachestat) {
            return std::unexpected("--probe cachestat: this kernel has no cachestat(2); it needs "
                                   "Linux 6.5 or later, or use --probe compare");
        }
        return best;
    case ProbeChoice::automatic:
        break;
    }
    return best;
}

std::string kernel_release() {
    utsname name{};
    return uname(&name) == 0 ? std::string(name.release) : std::string();
}

} // namespace

std::expected<void, std::string> serve(const Options& options, backing::FileIo& io,
                                       const std::function<bool()>& ready) {
    fuse::Session::block_end_signals();
    const auto probe = choose_probe(options.probe);
    if (!probe) {
        return std::unexpected(probe.error());
    }
    const std::string source = absolute_path(options.source);
    const std::string mountpoint = absolute_path(options.mountpoint);
    auto source_fd = Fd::open(AT_FDCWD, source.c_str(), O_PATH | O_DIRECTORY);
    if (!source_fd) {
        return std::unexpected("cannot open " + source + ": " +
                               std::strerror(source_fd.error().value));
    }
    auto root = backing::object_of(std::move(*source_fd));
    if (!root) {
        return std::unexpected("cannot stat " + source + ": " + std::strerror(root.error().value));
    }

    // Torn down in the opposite order: the session first, the context that all refer to last.
    trace::Recorder trace(options.block_size);
    journal::LedgerBook ledger;
    file::BufferBudget budget(options.dirty_limit.value);
    file::MemoryPool small_memory(0);
    file::Context context{.io = io,
                          .block_size = options.block_size,
                          .budget = budget,
                          .ledger = ledger,
                          .trace = trace,
                          .contract = options.contract,
                          .policy = options.flush_policy,
                          .compare_pages = *probe == fuse::Probe::compare,
                          .reopens_any_file = fuse::may_open_any_file(),
                          .whole_filesystem = backing::filesystem_sync_of(source)};
    fuse::InodeTable inodes(context);
    inodes.add_root(std::move(*root));
    // Receive memory outlives the buffers and retrieved pages made of it.
    file::MemoryPool memory(kRequestMemoryKept);
    fuse::FusePageCache page_cache(mountpoint, *probe, memory);
    journal::Journal journal(context, page_cache, {.interval = options.commit_interval});
    fuse::InodeReclaimer reclaimer(inodes, fuse::InodeReclaimer::default_limit(),
                                   [&journal] { journal.hurry(); });
    fuse::ControlDirectory control;
    fuse::Mount mount{.source = source,
                      .mountpoint = mountpoint,
                      .inodes = inodes,
                      .context = context,
                      .journal = journal,
                      .page_cache = page_cache,
                      .control = control,
                      .memory = memory,
                      .small_memory = small_memory,
                      .dirty_limit = options.dirty_limit.value,
                      .kernel_release = kernel_release(),
                      .trace_file = options.trace ? options.trace->string() : std::string()};
    const auto path_of = [&](model::InodeId id) -> std::string {
        if (const auto inode = inodes.find(id)) {
            return relative_path(inode->fd(), source);
        }
        // Forgotten by the kernel, but kept for what of it is not on disk or lost.
        const auto file = journal.find(id);
        return file ? relative_path(file->path_fd(), source) : std::string{};
    };
    trace.set_path_of(path_of);
    ledger.set_path_of(path_of);
    if (options.trace) {
        auto file = Fd::open(AT_FDCWD, options.trace->c_str(),
                             O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
        if (!file) {
            return std::unexpected("cannot write the trace " + options.trace->string() + ": " +
                                   std::strerror(file.error().value));
        }
        trace.start_file(std::move(*file));
    }

    fuse::Session session(fuse::all_operations(), options.fuse_options, options.debug,
                          options.threads, memory, &mount);
    if (auto mounted = session.mount(mountpoint); !mounted) {
        return mounted;
    }
    fuse::raise_bdi_limits(mountpoint);
    page_cache.set_session(session.handle());
    // Before anybody can use the mount: finding it by its path would make an umount busy.
    page_cache.start();

    int commit_error = 0;
    int last_error = 0;
    session.run({.serving =
                     [&] {
                         journal.start();
                         control.start();
                         reclaimer.start(session.handle());
                         page_cache.wait_until_ready();
                         return ready();
                     },
                 .before_end =
                     [&] {
                         control.stop();
                         reclaimer.stop();
                         const auto commit = [&]() -> base::Result<void> {
                             page_cache.write_everything_back();
                             // While requests are served, as pages are fetched from the kernel.
                             std::promise<int> committed;
                             journal.commit([&](int error) { committed.set_value(error); });
                             commit_error = committed.get_future().get();
                             return {};
                         };
                         if (auto done = base::without_exceptions(commit); !done) {
                             commit_error = done.error().value;
                         }
                     },
                 .disconnected =
                     [&] {
                         page_cache.disconnect();
                         control.stop();
                         reclaimer.stop();
                         // Another one, for what has been written until no request was served.
                         last_error = journal.stop();
                     },
                 .mounts_changed_fd = page_cache.mounts_changed_fd(),
                 .mounts_changed = [&] { page_cache.mounts_changed(); }});
    if (last_error == 0 && journal.gauge().dirty) {
        last_error = commit_error; // of bytes that were the kernel's, which is not there any more
    }
    trace.stop_file();
    if (trace.file_error() != 0) {
        spdlog::error("the trace is not complete: writing {}: {}", options.trace->string(),
                      std::strerror(trace.file_error()));
    }
    if (last_error != 0) {
        return std::unexpected("the last commit to " + source +
                               " failed: " + std::strerror(last_error) +
                               "; data that had not been synced is missing there");
    }
    return {};
}

} // namespace partialfs::startup
