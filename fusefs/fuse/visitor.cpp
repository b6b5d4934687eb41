#include "fusefs/fuse/visitor.hpp"

#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <spdlog/spdlog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace partialfs::fuse {

void Visitor::start() {
    std::unique_lock lock(mutex_);
    if (running_) {
        return;
    }
    stopping_ = false;
    thread_ = std::thread([this] { serve(); });
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

std::shared_ptr<Visitor::Task> Visitor::submit(Visit visit) {
    const std::scoped_lock lock(mutex_);
    if (!running_ || stopping_) {
        return nullptr;
    }
    tasks_.push_back(std::make_shared<Task>(Task{.visit = std::move(visit)}));
    changed_.notify_all();
    return tasks_.back();
}

void Visitor::post(Job job) {
    submit([job = std::move(job)](const Arrived& /*arrived*/) { job(); });
}

Visitor::Outcome Visitor::run(const Job& job) {
    const auto task = submit([&job](const Arrived& /*arrived*/) { job(); });
    if (!task) {
        return Outcome::not_running;
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return task->state == Task::State::done; });
    return end_of(*task);
}

Visitor::Outcome Visitor::end_of(const Task& task) {
    if (task.thrown) {
        std::rethrow_exception(task.thrown);
    }
    return Outcome::done;
}

Visitor::Outcome Visitor::run(const Visit& visit, std::chrono::nanoseconds patience) {
    // A copy: the task may outlive this call.
    const auto task = submit(visit);
    if (!task) {
        return Outcome::not_running;
    }
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience,
                           [&] { return task->state != Task::State::on_its_way; })) {
        task->state = Task::State::given_up;
        return Outcome::gave_up;
    }
    changed_.wait(lock, [&] { return task->state == Task::State::done; });
    return end_of(*task);
}

void Visitor::serve() {
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
        changed_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
        if (tasks_.empty()) {
            break;
        }
        const std::shared_ptr<Task> task = std::move(tasks_.front());
        tasks_.pop_front();
        if (task->state == Task::State::given_up) {
            continue;
        }
        lock.unlock();
        try {
            task->visit([&] {
                const std::scoped_lock arriving(mutex_);
                if (task->state == Task::State::given_up) {
                    return false;
                }
                task->state = Task::State::arrived;
                changed_.notify_all();
                return true;
            });
        } catch (...) {
            task->thrown = std::current_exception();
        }
        lock.lock();
        task->state = Task::State::done;
        changed_.notify_all();
    }
    running_ = false;
    thread_id_ = 0;
}

} // namespace partialfs::fuse
