#include "tools/mmapstress/engine/thread_team.hpp"

#include <utility>

namespace mmapstress {

using partialfs::base::Lock;

ThreadTeam::ThreadTeam(const ExecutorSetting& setting, std::size_t threads) : shares_(threads) {
    for (std::size_t i = 0; i < threads; ++i) {
        executors_.emplace_back(setting);
    }
    for (std::size_t i = 0; i < threads; ++i) {
        threads_.emplace_back([this, i] { work(i); });
    }
}

ThreadTeam::~ThreadTeam() {
    {
        const Lock lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) {
        thread.join();
    }
}

std::optional<OpFailure> ThreadTeam::run() {
    const Lock lock(mutex_);
    working_ = threads_.size();
    ++run_;
    changed_.notify_all();
    while (working_ != 0) {
        changed_.wait(lock);
    }
    for (std::vector<Op>& share : shares_) {
        share.clear();
    }
    return std::exchange(failure_, std::nullopt);
}

void ThreadTeam::work(std::size_t thread) {
    std::uint64_t seen = 0;
    Lock lock(mutex_);
    while (true) {
        while (!ending_ && run_ == seen) {
            changed_.wait(lock);
        }
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
