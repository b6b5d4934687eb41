#include "tests/fuzz/fuse/served_filesystem.hpp"

#include "fusefs/backing/object.hpp"
#include "fusefs/fuse/caller_identity.hpp"
#include "fusefs/fuse/operations.hpp"

#include <fcntl.h>

#include <future>
#include <stdexcept>
#include <utility>

namespace partialfs::fuzz {
namespace {

backing::Object open_root(const std::filesystem::path& source) {
    auto fd = base::Fd::open(AT_FDCWD, source.c_str(), O_PATH | O_DIRECTORY);
    auto root = fd ? backing::object_of(std::move(*fd)) : std::unexpected(fd.error());
    if (!root) {
        throw std::runtime_error("cannot open " + source.string());
    }
    return std::move(*root);
}

} // namespace

ServedFilesystem::ServedFilesystem(const std::filesystem::path& source,
                                   const std::filesystem::path& mountpoint,
                                   const MountSettings& settings)
    : trace_(*model::BlockSize::from_bytes(settings.block_bytes)),
      ledger_(*model::BlockSize::from_bytes(settings.block_bytes)), budget_(settings.dirty_limit),
      context_{.io = io_,
               .block_size = *model::BlockSize::from_bytes(settings.block_bytes),
               .budget = budget_,
               .ledger = ledger_,
               .trace = trace_,
               .contract = settings.contract,
               .policy = settings.policy,
               .compare_pages = true,
               .reopens_any_file = fuse::may_open_any_file(),
               .whole_filesystem = backing::filesystem_sync_of(source)},
      inodes_([this](model::InodeId id, const base::Fd& fd, const struct stat& status) {
          return std::make_unique<file::FileData>(id, fd, status, context_);
      }),
      page_cache_(mountpoint, fuse::Probe::compare, memory_),
      journal_(context_, page_cache_, {.interval = settings.commit_interval}),
      reclaimer_(inodes_, fuse::InodeReclaimer::default_limit(), [this] { journal_.hurry(); }),
      mount_{.source = source,
             .mountpoint = mountpoint,
             .inodes = inodes_,
             .context = context_,
             .journal = journal_,
             .page_cache = page_cache_,
             .control = control_,
             .memory = memory_,
             .small_memory = small_memory_,
             .dirty_limit = settings.dirty_limit},
      session_(fuse::all_operations(), {"default_permissions"}, /*debug=*/false, /*threads=*/4,
               memory_, &mount_) {
    inodes_.add_root(open_root(source));
    const auto path = [this, source](model::InodeId id) {
        const auto inode = inodes_.find(id);
        return inode ? backing::path_below(inode->fd(), source) : std::string();
    };
    trace_.set_path_of(path);
    ledger_.set_path_of(path);
}

void ServedFilesystem::connect(const fuse_custom_io& io, base::Fd connection) {
    if (const auto connected = session_.connect(io, std::move(connection)); !connected) {
        throw std::runtime_error(connected.error());
    }
    page_cache_.set_session(session_.handle());
    page_cache_.start();
}

void ServedFilesystem::serve() {
    const auto stop_helpers = [this] {
        control_.stop();
        reclaimer_.stop();
    };
    session_.run({.serving =
                      [&] {
                          journal_.start();
                          control_.start();
                          reclaimer_.start(session_.handle());
                          page_cache_.wait_until_ready();
                          return true;
                      },
                  .before_end =
                      [&] {
                          mount_.ending = true;
                          stop_helpers();
                          page_cache_.write_everything_back();
                          std::promise<int> committed;
                          journal_.commit([&](int error) { committed.set_value(error); });
                          committed.get_future().wait();
                      },
                  .disconnected =
                      [&] {
                          page_cache_.disconnect();
                          stop_helpers();
                          journal_.stop();
                      },
                  .mounts_changed_fd = page_cache_.mounts_changed_fd(),
                  .mounts_changed = [&] { page_cache_.mounts_changed(); }});
}

} // namespace partialfs::fuzz
