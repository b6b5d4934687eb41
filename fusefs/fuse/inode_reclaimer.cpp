#include "fusefs/fuse/inode_reclaimer.hpp"

#include "fusefs/fuse/caller_identity.hpp"
#include "fusefs/fuse/prune_notification.hpp"

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <utility>
#include <vector>

namespace partialfs::fuse {

std::size_t InodeReclaimer::default_limit() {
    constexpr std::size_t kMost = 20000;
    rlimit descriptors{};
    if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0) {
        return kMost;
    }
    // A file whose data waits for a commit needs a second one where the daemon could not open it
    // again: see FileData.
    const rlim_t each = may_open_any_file() ? 1 : 2;
    return std::min<std::size_t>(kMost, descriptors.rlim_cur / 2 / each);
}

InodeReclaimer::InodeReclaimer(InodeTable& inodes, std::size_t limit, std::function<void()> commit)
    : inodes_(inodes), limit_(limit), commit_(std::move(commit)) {
    inodes_.set_limit(limit_, [this] {
        const std::scoped_lock lock(mutex_);
        wanted_ = true;
        wake_.notify_one();
    });
}

void InodeReclaimer::start(fuse_session* session) {
    session_ = session;
    thread_ = std::thread([this] { run(); });
}

void InodeReclaimer::stop() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
        wake_.notify_one();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

void InodeReclaimer::ask_to_forget(std::span<const InodeTable::Unused> unused) {
    if (can_prune_) {
        std::vector<model::InodeId> ids(unused.size());
        std::ranges::transform(unused, ids.begin(), &InodeTable::Unused::id);
        const base::Result<void> asked = prune_inodes(session_, ids);
        can_prune_ = asked || asked.error().value != EINVAL;
        if (can_prune_) {
            return;
        }
        spdlog::debug("this kernel cannot prune inodes: the names of files are dropped instead");
    }
    for (const InodeTable::Unused& one : unused) {
        const auto inode = inodes_.find(one.id);
        if (inode && inode->type() != S_IFDIR) {
            // ENOENT: the kernel has another name for it, or none any more.
            fuse_lowlevel_notify_inval_entry(session_, one.parent.value, one.name.c_str(),
                                             one.name.size());
        }
    }
}

std::size_t InodeReclaimer::reclaim(std::size_t known) {
    constexpr std::size_t kAtOnce = 256;
    const std::size_t target = limit_ / 8 * 7;
    std::size_t asked = 0;
    while (known > target + asked) {
        const auto unused =
            inodes_.longest_unused(std::min(kAtOnce, known - target - asked), can_prune_);
        if (unused.empty()) {
            break;
        }
        asked += unused.size();
        ask_to_forget(unused);
    }
    return asked;
}

void InodeReclaimer::run() {
    pthread_setname_np(pthread_self(), "reclaimer");
    // The kernel answers by itself, a little later; and where all is in use or waits for a commit,
    // never: asking again has to wait for that moment, or for many more inodes.
    constexpr std::chrono::milliseconds kPatience{20};
    std::chrono::steady_clock::time_point asked_at;
    std::size_t known_then = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return wanted_ || stopping_; });
        if (stopping_) {
            return;
        }
        wanted_ = false;
        lock.unlock();
        const std::size_t known = inodes_.known();
        const auto now = std::chrono::steady_clock::now();
        if (now - asked_at >= kPatience || known >= known_then + limit_ / 64) {
            try {
                const std::size_t asked = reclaim(known);
                spdlog::debug("{} inodes known: asked the kernel to forget {}", known, asked);
            } catch (const std::exception& error) {
                spdlog::warn("asking the kernel to forget inodes: {}", error.what());
            }
            asked_at = now;
            known_then = known;
            if (inodes_.crowded()) {
                commit_();
            }
        }
        lock.lock();
    }
}

} // namespace partialfs::fuse
