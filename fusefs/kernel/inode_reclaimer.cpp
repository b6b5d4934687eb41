#include "fusefs/kernel/inode_reclaimer.hpp"

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>

namespace partialfs::kernel {

std::size_t InodeReclaimer::default_limit() {
    constexpr std::size_t kMost = 20000;
    rlimit descriptors{};
    if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0) {
        return kMost;
    }
    return std::min<std::size_t>(kMost, descriptors.rlim_cur / 2);
}

InodeReclaimer::InodeReclaimer(InodeTable& inodes, std::size_t limit)
    : inodes_(inodes), limit_(limit) {
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

void InodeReclaimer::run() {
    pthread_setname_np(pthread_self(), "reclaimer");
    constexpr std::size_t kAtOnce = 256;
    // Where nothing can be dropped (all is open, or directories), looking again has to wait for
    // more.
    std::size_t not_before = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return wanted_ || stopping_; });
        if (stopping_) {
            return;
        }
        wanted_ = false;
        lock.unlock();
        // Down to somewhat below the limit, or until there is nothing left to drop.
        const std::size_t target = limit_ / 8 * 7;
        const std::size_t before = inodes_.known();
        std::size_t asked = 0;
        while (before >= not_before && before > target + asked) {
            const auto names = inodes_.longest_unused(std::min(kAtOnce, before - target - asked));
            if (names.empty()) {
                break;
            }
            asked += names.size();
            for (const InodeTable::Name& name : names) {
                // ENOENT: the kernel has another name for it, or none any more.
                fuse_lowlevel_notify_inval_entry(session_, name.parent.value, name.name.c_str(),
                                                 name.name.size());
            }
        }
        if (asked > 0) {
            not_before = 0;
        } else if (before >= not_before) {
            not_before = before + limit_ / 64;
        }
        spdlog::debug("{} inodes known: asked the kernel to forget {}", before, asked);
        lock.lock();
    }
}

} // namespace partialfs::kernel
