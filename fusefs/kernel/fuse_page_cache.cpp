#include "fusefs/kernel/fuse_page_cache.hpp"

#include "fusefs/journal/file_data.hpp"
#include "fusefs/kernel/control_directory.hpp"
#include "fusefs/kernel/session.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <utility>

namespace partialfs::kernel {

using backing::Fd;
using backing::Result;
using journal::PageRange;
using journal::PageSet;
using journal::RetrievedPages;
using model::ByteCount;
using model::ByteOffset;
using model::ByteRange;
using model::InodeId;
using model::PageIndex;

namespace {

#ifndef SYS_cachestat
constexpr long kCachestat = 451; // the same on every architecture; younger than our libc
#else
constexpr long kCachestat = SYS_cachestat;
#endif

/// The structures of <linux/mman.h> from Linux 6.5 on.
struct CachestatRange {
    std::uint64_t offset;
    std::uint64_t length;
};
struct Cachestat {
    std::uint64_t cache;
    std::uint64_t dirty;
    std::uint64_t writeback;
    std::uint64_t evicted;
    std::uint64_t recently_evicted;
};

ByteRange bytes_of(PageRange pages) {
    return {start_of(pages.first), ByteOffset{start_of(pages.last).value + model::kPageSize}};
}

/// Appends the dirty pages among `pages`, of which there are `dirty`, to `found`.
Result<void> bisect(const Fd& file, PageRange pages, std::uint64_t dirty, PageSet& found) {
    if (dirty == 0) {
        return {};
    }
    if (dirty >= pages.count()) {
        found.append(pages);
        return {};
    }
    const PageIndex middle{pages.first.value + (pages.count() - 1) / 2};
    const PageRange low{pages.first, middle};
    const PageRange high{PageIndex{middle.value + 1}, pages.last};
    for (const PageRange half : {low, high}) {
        const Result<CacheStatus> status = cache_status(file, bytes_of(half));
        if (!status) {
            return std::unexpected(status.error());
        }
        if (const Result<void> done = bisect(file, half, status->dirty, found); !done) {
            return done;
        }
    }
    return {};
}

} // namespace

Result<CacheStatus> cache_status(const Fd& file, ByteRange range) {
    CachestatRange asked{range.begin.value, range.size().value};
    Cachestat answer{};
    if (::syscall(kCachestat, file.get(), &asked, &answer, 0) != 0) {
        return backing::last_error();
    }
    return CacheStatus{answer.cache, answer.dirty, answer.writeback};
}

/// Marks the calling thread as probing for as long as it lives.
class FusePageCache::Probing {
  public:
    explicit Probing(FusePageCache& cache) {
        const pid_t self = gettid();
        for (std::atomic<pid_t>& slot : cache.probing_threads_) {
            pid_t nobody = 0;
            if (slot.compare_exchange_strong(nobody, self)) {
                slot_ = &slot;
                return;
            }
        }
    }
    Probing(const Probing&) = delete;
    Probing& operator=(const Probing&) = delete;
    ~Probing() {
        if (slot_ != nullptr) {
            *slot_ = 0;
        }
    }
    /// False if more threads probe than ever should.
    [[nodiscard]] bool entered() const { return slot_ != nullptr; }

  private:
    std::atomic<pid_t>* slot_ = nullptr;
};

FusePageCache::FusePageCache(std::string mountpoint, Probe probe, journal::MemoryPool& pool)
    : mountpoint_(std::move(mountpoint)), probe_(probe), pool_(pool) {}

void FusePageCache::disconnect() {
    disconnected_ = true;
    if (view_) {
        view_->let_go();
    }
    const std::scoped_lock lock(mutex_);
    arrived_.notify_all();
}

bool FusePageCache::is_probing(pid_t thread) const {
    for (const std::atomic<pid_t>& slot : probing_threads_) {
        if (thread != 0 && slot == thread) {
            return true;
        }
    }
    return false;
}

/// An inode of our own mount, open. When it is closed, the kernel is told to forget the name that
/// it was opened by: that name would keep the inode, and the space of an unlinked file, for as long
/// as the kernel likes.
class FusePageCache::OpenInode {
  public:
    OpenInode(Fd fd, std::string name, fuse_session* session)
        : fd_(std::move(fd)), name_(std::move(name)), session_(session) {}
    OpenInode(OpenInode&&) = default;
    OpenInode& operator=(OpenInode&&) = delete;
    OpenInode(const OpenInode&) = delete;
    OpenInode& operator=(const OpenInode&) = delete;
    ~OpenInode() {
        if (fd_) {
            fd_.reset();
            fuse_lowlevel_notify_inval_entry(session_, kInodeDirectory, name_.c_str(),
                                             name_.size());
        }
    }

    const Fd& operator*() const { return fd_; }
    const Fd* operator->() const { return &fd_; }

  private:
    Fd fd_;
    std::string name_;
    fuse_session* session_;
};

void FusePageCache::set_session(fuse_session* session) {
    session_ = session;
    view_.emplace(mountpoint_);
}

Result<FusePageCache::OpenInode> FusePageCache::open_inode(InodeId inode) {
    if (disconnected_ || !view_) {
        return backing::failed(ENODEV);
    }
    const std::string name = std::to_string(inode.value);
    Result<Fd> fd = view_->open(".partialfs/inode/" + name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    OpenInode opened(std::move(*fd), name, session_);
    // Opened by path, it may lead elsewhere by now: our mount detached, or covered by another.
    struct statx status{};
    if (::statx(opened->get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &status) != 0) {
        return backing::last_error();
    }
    const std::uint64_t device = makedev(status.stx_dev_major, status.stx_dev_minor);
    std::uint64_t known = 0;
    if (!device_.compare_exchange_strong(known, device) && known != device) {
        return backing::failed(EXDEV);
    }
    return opened;
}

Result<PageSet> FusePageCache::dirty_pages(journal::FileData& file, ByteOffset size) {
    if (probe_ == Probe::compare) {
        return changed_pages(file);
    }
    PageSet found;
    if (size == ByteOffset{0}) {
        return found;
    }
    const Probing probing(*this);
    if (!probing.entered()) {
        return backing::failed(EAGAIN);
    }
    const Result<OpenInode> opened = open_inode(file.id());
    if (!opened) {
        return std::unexpected(opened.error());
    }
    const PageRange all{PageIndex{0}, page_of(ByteOffset{size.value - 1})};
    const Result<CacheStatus> status = cache_status(**opened, bytes_of(all));
    if (!status) {
        return std::unexpected(status.error());
    }
    if (const Result<void> done = bisect(**opened, all, status->dirty, found); !done) {
        return std::unexpected(done.error());
    }
    return found;
}

Result<PageSet> FusePageCache::changed_pages(journal::FileData& file) {
    PageSet found;
    const PageSet candidates = file.compare_candidates();
    for (const PageRange& range : candidates.ranges()) {
        for (PageIndex page = range.first; page <= range.last;) {
            const PageRange part{
                page, PageIndex{std::min(range.last.value, page.value + retrieve_limit() - 1)}};
            const Result<RetrievedPages> copy = retrieve(file.id(), part);
            if (!copy) {
                return std::unexpected(copy.error());
            }
            const std::size_t size = copy->bytes.size();
            for (std::size_t at = 0; at < size; at += model::kPageSize, ++page) {
                if (file.differs(page, copy->bytes.subspan(at, std::min<std::size_t>(
                                                                   model::kPageSize, size - at)))) {
                    found.append({page, page});
                }
            }
            if (size == 0) {
                ++page; // not cached: go on behind it
            }
        }
    }
    return found;
}

std::optional<bool> FusePageCache::is_clean(InodeId inode, PageIndex page) {
    if (probe_ == Probe::compare) {
        return std::nullopt;
    }
    const Probing probing(*this);
    const Result<OpenInode> opened = open_inode(inode);
    if (!probing.entered() || !opened) {
        return std::nullopt;
    }
    const Result<CacheStatus> status = cache_status(**opened, range_of(page));
    if (!status) {
        return std::nullopt;
    }
    return status->dirty == 0 && status->writeback == 0;
}

void FusePageCache::attributes_changed(InodeId inode) {
    if (session_ != nullptr && !disconnected_) {
        // A negative offset: the attributes alone. ENOENT: the kernel does not know the inode.
        fuse_lowlevel_notify_inval_inode(session_, inode.value, -1, 0);
    }
}

Result<RetrievedPages> FusePageCache::retrieve(InodeId inode, PageRange pages) {
    const ByteRange range = bytes_of(pages);
    {
        const std::scoped_lock lock(mutex_);
        waiting_ = true;
        wanted_inode_ = inode;
        wanted_offset_ = range.begin;
        reply_.reset();
    }
    const int error =
        disconnected_
            ? -ENODEV
            : fuse_lowlevel_notify_retrieve(session_, inode.value, range.size().value,
                                            static_cast<off_t>(range.begin.value), nullptr);
    std::unique_lock lock(mutex_);
    if (error == 0) {
        arrived_.wait(lock, [&] { return reply_.has_value() || disconnected_; });
    }
    waiting_ = false;
    if (reply_) {
        return std::move(*std::exchange(reply_, std::nullopt));
    }
    if (error == -ENOENT) {
        return RetrievedPages{}; // the kernel has forgotten the inode: nothing is cached
    }
    return backing::failed(error != 0 ? -error : ENODEV);
}

void FusePageCache::retrieved(InodeId inode, ByteOffset offset, const fuse_bufvec& data) {
    RetrievedPages pages;
    if (data.buf[0].size > 0) {
        auto* bytes = static_cast<std::byte*>(data.buf[0].mem);
        pages.bytes = {bytes, data.buf[0].size};
        pages.owner = std::shared_ptr<void>(Session::take_request_memory(), [this](void* memory) {
            if (memory != nullptr) {
                pool_.give_back(memory);
            }
        });
    }
    const std::scoped_lock lock(mutex_);
    if (waiting_ && inode == wanted_inode_ && offset == wanted_offset_) {
        reply_ = std::move(pages);
        arrived_.notify_all();
    }
}

Result<void> FusePageCache::evict(InodeId inode) {
    const Probing probing(*this);
    if (!probing.entered()) {
        return backing::failed(EAGAIN);
    }
    const Result<OpenInode> opened = open_inode(inode);
    if (!opened) {
        return std::unexpected(opened.error());
    }
    // Pages that are in use just then stay; a moment later they can go.
    constexpr int kTries = 5;
    for (int attempt = 0; attempt < kTries; ++attempt) {
        if (::sync_file_range((*opened)->get(), 0, 0,
                              SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                  SYNC_FILE_RANGE_WAIT_AFTER) != 0) {
            return backing::last_error();
        }
        const int error = fuse_lowlevel_notify_inval_inode(session_, inode.value, 0, 0);
        if (error != 0 && error != -EBUSY) {
            return backing::failed(-error);
        }
        if (probe_ == Probe::compare) {
            return error == 0 ? Result<void>{} : backing::failed(EBUSY);
        }
        const Result<CacheStatus> left =
            cache_status(**opened, {ByteOffset{0}, ByteOffset{INT64_MAX}});
        if (!left) {
            return std::unexpected(left.error());
        }
        if (left->cached == 0) {
            return {};
        }
        ::posix_fadvise((*opened)->get(), 0, 0, POSIX_FADV_DONTNEED);
    }
    return backing::failed(EBUSY);
}

} // namespace partialfs::kernel
