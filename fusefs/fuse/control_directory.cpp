#include "fusefs/fuse/control_directory.hpp"

#include <utility>

namespace partialfs::fuse {

void ControlDirectory::start() {
    helper_ = std::thread([this] { run(); });
}

void ControlDirectory::stop() {
    std::deque<std::function<void(bool)>> left;
    {
        const base::Lock lock(mutex_);
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
        const base::Lock lock(mutex_);
        if (!stopping_) {
            jobs_.push_back(std::move(job));
            wake_.notify_all();
            return;
        }
    }
    job(false);
}

void ControlDirectory::run() {
    base::Lock lock(mutex_);
    for (;;) {
        while (!stopping_ && jobs_.empty()) {
            wake_.wait(lock);
        }
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
