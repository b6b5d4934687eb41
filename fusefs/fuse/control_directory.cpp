#include "fusefs/fuse/control_directory.hpp"

#include <utility>

namespace partialfs::fuse {

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
