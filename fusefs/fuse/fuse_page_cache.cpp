#include "fusefs/fuse/fuse_page_cache.hpp"

#include "fusefs/backing/one_descriptor.hpp"
#include "fusefs/base/try.hpp"
#include "fusefs/file/journaled_file.hpp"
#include "fusefs/fuse/control_nodes.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

namespace partialfs::fuse {

using base::Fd;
using base::Result;
using file::PageRange;
using file::PageSet;
using file::RetrievedPages;
using model::ByteOffset;
using model::InodeId;
using model::PageIndex;

namespace {

/// How long opening an inode in the daemon's own mount may wait for locks of directories before it
/// is given up. A lock may be held by a request that waits for the daemon (see PrivateView);
/// otherwise it is soon free, even on a very busy machine.
constexpr std::chrono::seconds kPatience{5};

} // namespace

FusePageCache::FusePageCache(std::string mountpoint, Probe probe, file::MemoryPool& pool)
    : mountpoint_(std::move(mountpoint)), probe_(probe), retrieves_(pool) {}

void FusePageCache::set_session(fuse_session* session) {
    session_ = session;
    view_ = std::make_unique<PrivateView>(mountpoint_, ".partialfs/inode");
}

void FusePageCache::start() {
    visitor_.start();
    visitor_.run([&] { view_->enter(); });
    // This waits until requests are served, so it is only posted. Requests of others wait until
    // then as well, so nobody can have locked the root directory before.
    visitor_.post([&] { view_->find_directory(); });
}

void FusePageCache::wait_until_ready() {
    visitor_.run([] {}); // runs after the job that start() has posted
}

void FusePageCache::disconnect() {
    disconnected_ = true;
    retrieves_.disconnect();
    close_ways();
    visitor_.run([&] { view_->let_go(); });
    visitor_.stop();
}

void FusePageCache::close_ways() {
    decltype(ways_) last; // closed after the lock
    const base::Lock lock(ways_mutex_);
    last.swap(ways_);
}

int FusePageCache::mounts_changed_fd() const {
    return view_ ? view_->mounts_changed_fd() : -1;
}

void FusePageCache::mounts_changed() {
    if (!view_->still_mounted()) {
        close_ways();
        visitor_.run([&] { view_->let_go(); });
    }
}

bool FusePageCache::is_probing(pid_t thread) const {
    return thread != 0 && thread == visitor_.thread();
}

Result<Fd> FusePageCache::open_inode(InodeId inode) {
    auto fd = TRY(view_->open(std::to_string(inode.value), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    // Opened by path, it may be another file by now, if the daemon's mount is detached or covered.
    struct statx status{};
    if (::statx(fd.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &status) != 0) {
        return base::last_error();
    }
    const std::uint64_t device = makedev(status.stx_dev_major, status.stx_dev_minor);
    std::uint64_t known = 0;
    if (!device_.compare_exchange_strong(known, device) && known != device) {
        return base::failed(EXDEV);
    }
    return fd;
}

template <typename Job>
auto FusePageCache::visit(InodeId inode, Job job) -> decltype(job(std::declval<const Fd&>())) {
    decltype(job(std::declval<const Fd&>())) result = base::failed(ENODEV);
    const base::Lock lock(visits_);
    if (disconnected_) {
        return result;
    }
    const auto outcome = visitor_.run(
        [this, inode, &result, &job](const Visitor::Arrived& arrived) {
            const Result<Fd> fd = open_inode(inode);
            if (arrived()) {
                result = fd ? job(*fd) : std::unexpected(fd.error());
            }
        },
        kPatience);
    if (outcome == Visitor::Outcome::done) {
        const std::string name = std::to_string(inode.value);
        fuse_lowlevel_notify_inval_entry(session_, kInodeDirectory, name.c_str(), name.size());
    } else if (outcome == Visitor::Outcome::gave_up) {
        spdlog::warn("inode {} could not be opened in our own mount, as a directory above it is "
                     "locked; mapped stores into it are not seen this time",
                     inode.value);
        result = base::failed(ETIMEDOUT);
    }
    return result;
}

FusePageCache::Way FusePageCache::known_way(InodeId inode) const {
    const base::Lock lock(ways_mutex_);
    const auto way = ways_.find(inode);
    return way == ways_.end() ? nullptr : way->second;
}

void FusePageCache::close_way(InodeId inode) {
    Way last; // closed after the lock
    const base::Lock lock(ways_mutex_);
    if (const auto way = ways_.find(inode); way != ways_.end()) {
        last = std::move(way->second);
        ways_.erase(way);
    }
}

Result<FusePageCache::Way> FusePageCache::open_way(const file::JournaledFile& file) {
    // A descriptor that a visit sends must be taken before the next visit.
    const base::Lock opening(opening_);
    if (Way way = known_way(file.id())) {
        return way;
    }
    {
        // Descriptors are scarce, and most of them are for open files.
        const base::Lock lock(ways_mutex_);
        if (ways_.size() >= static_cast<std::size_t>(backing::OneDescriptor::first_scarce()) / 4) {
            return base::failed(ENOTSUP);
        }
    }
    TRY(visit(file.id(), [&](const Fd& fd) -> Result<void> {
        if (!view_->is_private() || !visitor_.send_home(fd)) {
            return base::failed(ENOTSUP);
        }
        return {};
    }));
    auto home = TRY(visitor_.take_home());
    auto way = std::make_shared<const Fd>(std::move(home));
    {
        const base::Lock lock(ways_mutex_);
        ways_.insert_or_assign(file.id(), way);
    }
    // A close of the file in the meantime did not find this descriptor to close it.
    if (!file.wants_way() || disconnected_) {
        close_way(file.id());
    }
    return way;
}

Result<PageSet> FusePageCache::dirty_pages(file::JournaledFile& file, const PageSet& pages) {
    if (probe_ == Probe::compare) {
        return changed_pages(file, pages);
    }
    if (pages.empty()) {
        return PageSet{};
    }
    if (file.wants_way()) {
        const Result<Way> way = open_way(file);
        if (way) {
            return counted_pages(**way, pages, &CacheStatus::dirty);
        }
        if (way.error().value != ENOTSUP) {
            return std::unexpected(way.error());
        }
    }
    return visit(file.id(),
                 [&](const Fd& fd) { return counted_pages(fd, pages, &CacheStatus::dirty); });
}

std::optional<PageSet> FusePageCache::dirty_now(InodeId inode, ByteOffset size) {
    const Way way = known_way(inode);
    return way ? counted_pages(*way, size, &CacheStatus::dirty) : std::nullopt;
}

std::optional<std::uint64_t> FusePageCache::dirty_count_now(InodeId inode, ByteOffset size) {
    const Way way = known_way(inode);
    const auto status =
        way ? cache_status(*way, {ByteOffset{0}, size}) : Result<CacheStatus>(base::failed(EAGAIN));
    return status ? std::optional{status->dirty} : std::nullopt;
}

std::optional<PageSet> FusePageCache::under_writeback_now(InodeId inode, ByteOffset size) {
    const Way way = known_way(inode);
    return way ? counted_pages(*way, size, &CacheStatus::writeback) : std::nullopt;
}

Result<PageSet> FusePageCache::changed_pages(file::JournaledFile& file, const PageSet& pages) {
    PageSet found;
    const PageSet candidates = file.compare_candidates(pages);
    for (const PageRange& range : candidates.ranges()) {
        for (PageIndex page = range.first; page <= range.last;) {
            const PageRange part{
                page, PageIndex{std::min(range.last.value, page.value + retrieve_limit() - 1)}};
            const auto copy = TRY(retrieve(file.id(), part));
            const std::size_t size = copy.bytes.size();
            for (std::size_t at = 0; at < size; at += model::kPageSize, ++page) {
                if (file.differs(page, copy.bytes.subspan(at, std::min<std::size_t>(
                                                                  model::kPageSize, size - at)))) {
                    found.append({page, page});
                }
            }
            if (size == 0) {
                ++page; // not cached: continue after it
            }
        }
    }
    return found;
}

std::optional<bool> FusePageCache::is_clean(InodeId inode, PageIndex page) {
    if (probe_ == Probe::compare) {
        return std::nullopt;
    }
    const Way way = known_way(inode);
    const Result<CacheStatus> status =
        way ? cache_status(*way, range_of(page))
            : visit(inode, [&](const Fd& fd) { return cache_status(fd, range_of(page)); });
    if (!status) {
        return std::nullopt;
    }
    return status->dirty == 0 && status->writeback == 0;
}

Result<RetrievedPages> FusePageCache::retrieve(InodeId inode, PageRange pages) {
    return retrieves_.fetch(session_, inode, pages);
}

Result<void> FusePageCache::evict(InodeId inode) {
    // Pages that are in use at that moment stay; a moment later they can be dropped.
    constexpr int kTries = 5;
    for (int attempt = 0; attempt < kTries; ++attempt) {
        const Result<void> dropped = visit(inode, [&](const Fd& fd) -> Result<void> {
            if (::sync_file_range(fd.get(), 0, 0,
                                  SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                      SYNC_FILE_RANGE_WAIT_AFTER) != 0) {
                return base::last_error();
            }
            ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
            return {};
        });
        if (!dropped) {
            return dropped;
        }
        // Only this also unmaps pages. It writes to /dev/fuse, so it cannot be done by the visitor.
        const int error = fuse_lowlevel_notify_inval_inode(session_, inode.value, 0, 0);
        if (error != 0 && error != -EBUSY) {
            return base::failed(-error);
        }
        if (probe_ == Probe::compare) {
            return error == 0 ? Result<void>{} : base::failed(EBUSY);
        }
        const auto left = TRY(visit(inode, [](const Fd& fd) {
            return cache_status(fd, {ByteOffset{0}, ByteOffset{INT64_MAX}});
        }));
        if (left.cached == 0) {
            return {};
        }
    }
    return base::failed(EBUSY);
}

void FusePageCache::drop(InodeId inode) {
    // A page that is stored into meanwhile is dirty again, and stays.
    constexpr int kTries = 5;
    for (int attempt = 0; attempt < kTries && !disconnected_; ++attempt) {
        if (fuse_lowlevel_notify_inval_inode(session_, inode.value, 0, 0) != -EBUSY) {
            return;
        }
    }
}

void FusePageCache::take_writeback_error() {
    visitor_.run([&] {
        // `.partialfs/inode` can be opened even with the power off.
        if (const Result<Fd> directory = view_->open(".", O_RDONLY | O_DIRECTORY)) {
            ::syncfs(directory->get());
        }
    });
}

void FusePageCache::write_everything_back() {
    visitor_.run([&] {
        if (const Result<Fd> root = view_->open_root()) {
            ::syncfs(root->get());
        }
    });
}

} // namespace partialfs::fuse
