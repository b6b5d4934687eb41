#include "fusefs/fuse/control_files.hpp"

#include "fusefs/backing/object.hpp"
#include "fusefs/base/exceptions.hpp"
#include "fusefs/fuse/control_directory.hpp"
#include "fusefs/fuse/control_nodes.hpp"
#include "fusefs/fuse/fuse_page_cache.hpp"
#include "fusefs/fuse/reply.hpp"
#include "fusefs/journal/journal.hpp"
#include "fusefs/journal/ledger_book.hpp"
#include "fusefs/trace/recorder.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

namespace partialfs::fuse {
namespace {

using base::Fd;
using base::Result;

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
        text.remove_suffix(1);
    }
    return text;
}

/// The object that a path relative to the mount names; it must lie inside.
Result<Fd> open_in_source(Mount& mount, std::string path) {
    while (!path.empty() && path.front() == '/') {
        path.erase(0, 1);
    }
    const std::shared_ptr<Inode> root = mount.inodes.root();
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    const long fd = ::syscall(SYS_openat2, root->fd().get(), path.c_str(), &how, sizeof how);
    if (fd < 0) {
        return base::last_error();
    }
    return Fd{static_cast<int>(fd)};
}

Result<void> evict(Mount& mount, const std::string& path) {
    if (path.empty()) {
        return base::failed(EINVAL);
    }
    Result<Fd> fd = open_in_source(mount, path);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    const Result<backing::Object> object = backing::object_of(std::move(*fd));
    if (!object) {
        return std::unexpected(object.error());
    }
    if (!S_ISREG(object->status.st_mode)) {
        return base::failed(S_ISDIR(object->status.st_mode) ? EISDIR : EINVAL);
    }
    const auto inode = mount.inodes.find(BackingKey{object->status.st_dev, object->status.st_ino});
    if (!inode || mount.inodes.find(inode->id()) == nullptr) {
        return {}; // the kernel does not know the file: nothing of it is cached
    }
    const Result<void> done = mount.page_cache.evict(inode->id());
    if (done) {
        inode->data()->pages_evicted();
    }
    return done;
}

} // namespace

std::string contents_of(const Mount& mount, fuse_ino_t number) {
    switch (number) {
    case kStatusFile:
        return status_json(mount) + '\n';
    case kLedgerFile:
        return mount.context.ledger.lines();
    case kTraceFile:
        return mount.context.trace.latest();
    case kContractFile:
        return std::string(name_of(mount.context.contract.load())) + '\n';
    case kPolicyFile:
        return std::string(name_of(mount.context.policy.load())) + '\n';
    default:
        return {};
    }
}

void control_write(fuse_req_t req, fuse_ino_t number, const char* data, std::size_t size, off_t,
                   fuse_file_info*) {
    Mount& mount = mount_of(req);
    const std::string_view text = trimmed({data, size});
    const auto done = [req, size](int error) {
        if (error != 0) {
            fuse_reply_err(req, error);
        } else {
            fuse_reply_write(req, size);
        }
    };
    switch (number) {
    case kContractFile: {
        const auto contract = base::from_name<model::Contract>(text);
        if (contract) {
            mount.context.contract = *contract;
        }
        done(contract ? 0 : EINVAL);
        break;
    }
    case kPolicyFile: {
        const auto policy = base::from_name<model::FlushPolicy>(text);
        if (policy) {
            mount.context.policy = *policy;
        }
        done(policy ? 0 : EINVAL);
        break;
    }
    case kCommitFile:
        mount.journal.commit(done);
        break;
    case kEvictFile:
        mount.control.submit([&mount, done, path = std::string(text)](bool serving) {
            if (!serving) {
                done(ENODEV);
                return;
            }
            const Result<void> evicted =
                base::without_exceptions([&] { return evict(mount, path); });
            done(evicted ? 0 : evicted.error().value);
        });
        break;
    default:
        done(EPERM);
    }
}

void ControlDirectory::start() {
    helper_ = std::thread([this] { run(); });
}

void ControlDirectory::stop() {
    std::deque<std::function<void(bool)>> left;
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
        left.swap(jobs_);
        wake_.notify_all();
    }
    for (const auto& job : left) {
        job(false);
    }
    if (helper_.joinable()) {
        helper_.join();
    }
}

void ControlDirectory::submit(std::function<void(bool)> job) {
    {
        const std::scoped_lock lock(mutex_);
        if (!stopping_) {
            jobs_.push_back(std::move(job));
            wake_.notify_all();
            return;
        }
    }
    job(false);
}

void ControlDirectory::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
        if (jobs_.empty()) {
            return;
        }
        const std::function<void(bool)> job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        job(true);
        lock.lock();
    }
}

} // namespace partialfs::fuse
