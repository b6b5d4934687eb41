#include "fusefs/startup/filesystem.hpp"

#include "fusefs/backing/object.hpp"
#include "fusefs/base/exceptions.hpp"
#include "fusefs/base/try.hpp"
#include "fusefs/fuse/bdi_settings.hpp"
#include "fusefs/fuse/cache_status.hpp"
#include "fusefs/fuse/caller_identity.hpp"
#include "fusefs/fuse/operations.hpp"
#include "fusefs/startup/start_failure.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <future>
#include <memory>
#include <utility>

namespace partialfs::startup {
namespace {

/// How many blocks of request memory, a megabyte each, are kept for reuse.
constexpr std::size_t kRequestMemoryKept = 6;

using base::Fd;
using base::Result;

/// Linux 6.5 has cachestat(2), but a seccomp filter may forbid it. The file must be the daemon's
/// own: newer kernels refuse the call for a file that the caller neither owns nor may write.
fuse::Probe best_probe(const Fd& own_file) {
    return fuse::cache_status(own_file, {model::ByteOffset{0}, model::ByteOffset{1}}).has_value()
               ? fuse::Probe::cachestat
               : fuse::Probe::compare;
}

std::string kernel_release() {
    utsname name{};
    return uname(&name) == 0 ? std::string(name.release) : std::string();
}

/// With --power, the cache of the emulated disk; otherwise null.
std::unique_ptr<power::DiskCache> make_disk_cache(const Options& options, const std::string& source,
                                                  trace::Recorder& trace) {
    if (!options.power) {
        return nullptr;
    }
    auto store = power::UndoStore::make(source, options.power_undo);
    if (!store) {
        throw StartFailure(
            "--power needs an unlinked file for the bytes that a cut puts back, in SOURCE '" +
            source + "', which cannot be made: " + std::strerror(store.error().value));
    }
    return std::make_unique<power::DiskCache>(
        std::move(*store), [&trace, said = std::make_shared<std::atomic_flag>()] {
            trace.record({.kind = trace::Kind::undo_full});
            if (!said->test_and_set()) { // a small store may be full at every second write
                spdlog::warn("--power: no room to keep more of what a cut could take (--power-undo "
                             "is reached, or SOURCE is full): all of it was synced, so a cut can "
                             "no longer take it. Logged only once; status counts how often");
            }
        });
}

backing::Object open_root(const std::string& source) {
    auto fd = Fd::open(AT_FDCWD, source.c_str(), O_PATH | O_DIRECTORY);
    if (!fd) {
        throw StartFailure("SOURCE '" + source +
                           "' cannot be opened: " + std::strerror(fd.error().value));
    }
    auto root = backing::object_of(std::move(*fd));
    if (!root) {
        throw StartFailure("SOURCE '" + source + "': its attributes cannot be read: " +
                           std::strerror(root.error().value));
    }
    return std::move(*root);
}

} // namespace

std::string absolute_path(const std::filesystem::path& path) {
    std::error_code error;
    const std::filesystem::path canonical = std::filesystem::canonical(path, error);
    return error ? path.string() : canonical.string();
}

fuse::Probe choose_probe(ProbeChoice choice) {
    const Fd file(::memfd_create("partialfs-probe", MFD_CLOEXEC));
    const fuse::Probe best = best_probe(file);
    if (choice == ProbeChoice::cachestat && best != fuse::Probe::cachestat) {
        throw StartFailure("--probe cachestat: this kernel has no cachestat(2); it needs "
                           "Linux 6.5 or later, or use --probe compare");
    }
    return choice == ProbeChoice::compare ? fuse::Probe::compare : best;
}

Filesystem::Filesystem(const Options& options, fuse::Probe probe, faults::FaultBook& faults)
    : source_(absolute_path(options.source)), mountpoint_(absolute_path(options.mountpoint)),
      faults_(faults), io_(faults, source_), trace_(options.block_size),
      ledger_(options.block_size), budget_(options.dirty_limit.value),
      disk_cache_(make_disk_cache(options, source_, trace_)),
      power_(disk_cache_ ? std::make_unique<power::Power>(io_, *disk_cache_) : nullptr),
      context_{.io = io_,
               .budget = budget_,
               .ledger = ledger_,
               .trace = trace_,
               .settings = {.block_size = options.block_size,
                            .contract = options.contract,
                            .policy = options.flush_policy,
                            .after_write_error = options.after_write_error,
                            .compare_pages = probe == fuse::Probe::compare,
                            .reopens_any_file = fuse::may_open_any_file()},
               .whole_filesystem = backing::filesystem_sync_of(source_),
               .power = power_.get()},
      inodes_([this](model::InodeId id, const Fd& fd, const struct stat& status) {
          return std::make_unique<file::FileData>(id, fd, status, context_);
      }),
      memory_(kRequestMemoryKept), page_cache_(mountpoint_, probe, memory_),
      journal_(context_, page_cache_, {.interval = options.commit_interval}),
      reclaimer_(inodes_, fuse::InodeReclaimer::default_limit(), [this] { journal_.hurry(); }),
      mount_{.settings = {.source = source_,
                          .mountpoint = mountpoint_,
                          .kernel_release = kernel_release(),
                          .trace_file = options.trace ? options.trace->string() : std::string(),
                          .dirty_limit = options.dirty_limit.value,
                          // After a cut a name leads to a new inode, so the kernel must not keep
                          // the old one.
                          .entry_timeout = options.power ? 0.0 : 1.0},
             .inodes = inodes_,
             .context = context_,
             .journal = journal_,
             .page_cache = page_cache_,
             .control = control_,
             .faults = faults_,
             .memory = memory_,
             .small_memory = small_memory_},
      session_(fuse::all_operations(), options.fuse_options, options.debug, options.threads,
               memory_, &mount_) {
    if (power_) {
        io_.set_below(*disk_cache_);
        power_cut_ = std::make_unique<fuse::PowerCut>(mount_);
    }
    inodes_.add_root(open_root(source_));
    const auto path = [this](model::InodeId id) { return path_of(id); };
    trace_.set_path_of(path);
    ledger_.set_path_of(path);
    faults_.set_observer([this](const faults::Firing& firing) { note_fault(firing); });
}

std::expected<void, std::string> Filesystem::start_trace() {
    const std::string& path = mount_.settings.trace_file;
    if (path.empty()) {
        return {};
    }
    auto file = Fd::open(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
    if (!file) {
        return std::unexpected("--trace '" + path + "' cannot be written: " +
                               std::strerror(file.error().value) + "; name a file that can be");
    }
    trace_.start_file(std::move(*file));
    return {};
}

std::expected<void, std::string> Filesystem::mount() {
    TRY(start_trace());
    const auto mounted = session_.mount(mountpoint_);
    if (mounted) {
        fuse::raise_bdi_limits(mountpoint_);
        begin_session();
    }
    return mounted;
}

std::expected<void, std::string> Filesystem::connect(const fuse_custom_io& io,
                                                     base::Fd connection) {
    TRY(start_trace());
    const auto connected = session_.connect(io, std::move(connection));
    if (connected) {
        begin_session();
    }
    return connected;
}

void Filesystem::begin_session() {
    page_cache_.set_session(session_.handle());
    // Before anybody can use the mount: while it is opened by its path, an umount gets EBUSY.
    page_cache_.start();
}

void Filesystem::note_fault(const faults::Firing& firing) {
    const faults::Occasion& occasion = firing.occasion;
    trace::Event event{.inode = occasion.inode,
                       .error = firing.fault.error.value,
                       .kind = trace::Kind::fault,
                       .operation = occasion.operation,
                       .action = firing.fault.action,
                       .rule = static_cast<std::uint32_t>(firing.rule)};
    if (occasion.range) {
        event.page_or_offset = occasion.range->begin.value;
        event.length = occasion.range->size().value;
        event.amount = std::min(firing.fault.amount, event.length);
    }
    struct stat status{};
    if (occasion.fd >= 0 && ::fstat(occasion.fd, &status) == 0) {
        if (const auto inode = inodes_.find(fuse::BackingKey{status.st_dev, status.st_ino})) {
            event.inode = inode->id();
        }
    }
    trace_.record(event);
}

std::string Filesystem::path_of(model::InodeId id) const {
    if (const auto inode = inodes_.find(id)) {
        return backing::path_below(inode->fd(), source_);
    }
    // Forgotten by the kernel, but kept by the journal, as some data is lost or not on disk.
    const auto file = journal_.find(id);
    return file ? backing::path_below(file->path_fd(), source_) : std::string{};
}

int Filesystem::commit_before_end() {
    const auto commit = [this]() -> Result<int> {
        page_cache_.write_everything_back();
        std::promise<int> committed;
        journal_.commit([&](int error) { committed.set_value(error); });
        return committed.get_future().get();
    };
    const Result<int> error = base::without_exceptions(commit);
    return error ? *error : error.error().value;
}

int Filesystem::serve(const std::function<bool()>& ready) {
    int commit_error = 0;
    int last_error = 0;
    const auto stop_helpers = [this] {
        if (power_cut_) {
            power_cut_->stop();
        }
        control_.stop();
        reclaimer_.stop();
    };
    session_.run({.serving =
                      [&] {
                          journal_.start();
                          control_.start();
                          if (power_cut_) {
                              power_cut_->start();
                          }
                          reclaimer_.start(session_.handle());
                          page_cache_.wait_until_ready();
                          return ready();
                      },
                  .before_end =
                      [&] {
                          mount_.ending = true;
                          faults_.end_waiting();
                          stop_helpers();
                          commit_error = commit_before_end();
                      },
                  .disconnected =
                      [&] {
                          faults_.end_waiting();
                          page_cache_.disconnect();
                          stop_helpers();
                          // Another commit, for data written until requests were no longer served.
                          last_error = journal_.stop();
                      },
                  .mounts_changed_fd = page_cache_.mounts_changed_fd(),
                  .mounts_changed = [&] { page_cache_.mounts_changed(); }});
    if (last_error == 0 && journal_.gauge().dirty) {
        last_error = commit_error; // bytes in the kernel's cache were lost with the mount
    }
    stop_trace();
    return last_error;
}

void Filesystem::stop_trace() {
    trace_.stop_file();
    if (trace_.file_error() != 0) {
        spdlog::error("the trace is not complete: writing {}: {}", mount_.settings.trace_file,
                      std::strerror(trace_.file_error()));
    }
}

} // namespace partialfs::startup
