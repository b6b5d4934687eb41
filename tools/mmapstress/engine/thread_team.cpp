#include "tools/mmapstress/engine/thread_team.hpp"

#include <utility>

namespace mmapstress {

ThreadTeam::ThreadTeam(std::vector<Executor> executors)
    : executors_(std::move(executors)), shares_(executors_.size()) {
    for (std::size_t i = 0; i < executors_.size(); ++i) {
        threads_.emplace_back([this, i] { work(i); });
    }
}

ThreadTeam::~ThreadTeam() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) {
        thread.join();
    }
}

std::optional<OpFailure> ThreadTeam::run() {
    std::unique_lock lock(mutex_);
    working_ = threads_.size();
    ++run_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return working_ == 0; });
    for (std::vector<Op>& share : shares_) {
        share.clear();
    }
    return std::exchange(failure_, std::nullopt);
}

void ThreadTeam::work(std::size_t thread) {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [&] { return ending_ || run_ != seen; });
        if (ending_) {
            return;
        }
        seen = run_;
        lock.unlock();
        std::optional<OpFailure> failure;
        for (const Op& op : shares_[thread]) {
            if (auto done = executors_[thread].execute(op); !done) {
                failure = OpFailure{std::move(done.error()), op.id};
                break;
            }
        }
        lock.lock();
        if (failure && (!failure_ || failure->op < failure_->op)) {
            failure_ = std::move(failure);
        }
        if (--working_ == 0) {
            changed_.notify_all();
        }
    }
}

} // namespace mmapstress
