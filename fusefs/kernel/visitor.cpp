#include "fusefs/kernel/visitor.hpp"

#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace partialfs::kernel {

void Visitor::start() {
    std::unique_lock lock(mutex_);
    if (running_) {
        return;
    }
    stopping_ = false;
    thread_ = std::thread([this] { run(); });
    changed_.wait(lock, [&] { return running_; });
}

void Visitor::stop() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
        changed_.notify_all();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

bool Visitor::visit(const std::function<void()>& job) {
    const std::scoped_lock one_at_a_time(callers_);
    std::unique_lock lock(mutex_);
    if (!running_ || stopping_) {
        return false;
    }
    job_ = &job;
    changed_.notify_all();
    changed_.wait(lock, [&] { return job_ == nullptr; });
    return true;
}

void Visitor::run() {
    pthread_setname_np(pthread_self(), "visitor");
    // Two system calls, as a descriptor table shared with nobody is what close_range() may empty.
    if (::unshare(CLONE_FILES) != 0) {
        spdlog::warn("cannot have a file table for a thread: {}; after a SIGKILL of the daemon the "
                     "mount may hang until it is aborted in /sys/fs/fuse/connections",
                     std::strerror(errno));
    } else {
        ::syscall(SYS_close_range, 0U, ~0U, 0U);
    }
    thread_id_ = gettid();
    std::unique_lock lock(mutex_);
    running_ = true;
    changed_.notify_all();
    for (;;) {
        changed_.wait(lock, [&] { return stopping_ || job_ != nullptr; });
        if (job_ != nullptr) {
            lock.unlock();
            (*job_)();
            lock.lock();
            job_ = nullptr;
            changed_.notify_all();
            continue;
        }
        running_ = false;
        thread_id_ = 0;
        return;
    }
}

} // namespace partialfs::kernel
