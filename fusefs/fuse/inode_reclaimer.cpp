#include "fusefs/fuse/inode_reclaimer.hpp"

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
    return std::min<std::size_t>(kMost, descriptors.rlim_cur / 2);
}

InodeReclaimer::InodeReclaimer(InodeTable& inodes, std::size_t limit, std::function<void()> commit)
    : inodes_(inodes), limit_(limit), commit_(std::move(commit)) {
    inodes_.set_limit(limit_, [this] {
        const base::Lock lock(mutex_);
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
        const base::Lock lock(mutex_);
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
            // An error is ignored. ENOENT: the kernel knows it by another name, or no longer.
            fuse_lowlevel_notify_inval_entry(session_, one.parent.value, one.name.c_str(),
                                             one.name.size());
        }
    }
}

void InodeReclaimer::ask_for_unused() {
    constexpr std::size_t kAtOnce = 256;
    // FORGET comes a little later than the request to forget.
    constexpr std::chrono::milliseconds kPatience{20};
    const std::size_t before = inodes_.living();
    const std::size_t target = limit_ / 8 * 7;
    std::size_t asked = 0;
    while (before > target + asked) {
        const auto unused =
            inodes_.longest_unused(std::min(kAtOnce, before - target - asked), can_prune_);
        if (unused.empty()) {
            break;
        }
        asked += unused.size();
        ask_to_forget(unused);
    }
    spdlog::debug("{} inodes: asked the kernel to forget {}", before, asked);
    if (asked != 0) {
        inodes_.wait_until_living(before - asked, kPatience);
    }
}

void InodeReclaimer::reclaim() {
    constexpr std::chrono::milliseconds kForACommit{100};
    ask_for_unused();
    if (inodes_.living() > limit_ / 8 * 7) {
        // Some inodes wait for a commit: after it the journal releases them, or the kernel can
        // forget them.
        commit_();
        inodes_.wait_until_living(limit_ / 8 * 7, kForACommit);
        ask_for_unused();
    }
}

void InodeReclaimer::run() {
    pthread_setname_np(pthread_self(), "reclaimer");
    base::Lock lock(mutex_);
    for (;;) {
        while (!wanted_ && !stopping_) {
            wake_.wait(lock);
        }
        if (stopping_) {
            return;
        }
        wanted_ = false;
        lock.unlock();
        try {
            reclaim();
        } catch (const std::exception& error) {
            spdlog::warn("asking the kernel to forget inodes: {}", error.what());
        }
        inodes_.reclaim_ended();
        lock.lock();
    }
}

} // namespace partialfs::fuse
